// SPDX-License-Identifier: Apache-2.0
#include "upgradecheck.h"

#include "json.h"
#include "mem.h"
#include "preflight_checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By how many minor versions kubelets may be older than API servers. */
#define KUBELET_MINORS 3

struct version_number {
	int major, minor, patch;
};

static bool parse(const char *s, struct version_number *v)
{
	return sscanf(s + (*s == 'v'), "%d.%d.%d", &v->major, &v->minor, &v->patch) == 3;
}

static long order(const struct version_number *v)
{
	return v->major * 1000000L + v->minor * 1000L + v->patch;
}

/* ---- versions ---- */

bool version_same_minor(const char *a, const char *b)
{
	struct version_number x, y;

	return parse(a, &x) && parse(b, &y) && x.major == y.major && x.minor == y.minor;
}

static const char *api_version(const struct candidate *c)
{
	return json_text(json_object_get(c->cluster, "apiserver"), "version");
}

static void check_way_back(const struct candidate *c, const char *to, struct findings *f)
{
	const char *has = api_version(c);
	struct version_number from, target;

	if (!*has || !parse(has, &from) || !parse(to, &target))
		return;
	if (order(&from) < order(&target))
		finding_add(f, c, "Version", LEVEL_ERROR,
		            "./install upgrade; or take the bundle of the version before",
		            "its API server has Kubernetes %s, the bundle %s: a later one is no "
		            "way back",
		            has, to);
	else if (!version_same_minor(has, to))
		finding_add(f, c, "Version", LEVEL_ERROR,
		            "docs/upgrade.md, \"The way back\": a snapshot of etcd's data",
		            "its API server has Kubernetes %s, the bundle %s: the way back leads "
		            "over no minor version",
		            has, to);
}

/* What was active on the machine before what is active now; "" when nothing was. */
static const char *version_before(const struct candidate *c)
{
	const json_t *state = json_object_get(c->facts, "state");

	return json_text(json_object_get(state, "previous"), "k8s");
}

/* Back is where the cluster comes from: some master has that version, or had it before. */
static void check_was_there(const struct candidate *c, size_t n, const char *to, struct findings *f)
{
	const struct candidate *first = NULL;

	for (size_t i = 0; i < n; i++) {
		const json_t *state = json_object_get(c[i].facts, "state");

		if (!c[i].master)
			continue;
		if (strcmp(json_text(state, "k8s"), to) == 0 ||
		    strcmp(version_before(&c[i]), to) == 0)
			return;
		if (!first)
			first = &c[i];
	}
	if (first && *version_before(first))
		finding_add(f, first, "Version", LEVEL_ERROR, "take that version's bundle",
		            "no master had Kubernetes %s before; this one had %s", to,
		            version_before(first));
	else if (first)
		finding_add(f, first, "Version", LEVEL_ERROR,
		            "nothing is to be taken back: no upgrade was made here",
		            "no master had Kubernetes %s before, nor another version", to);
}

static void check_api_version(const struct candidate *c, const char *to, struct findings *f)
{
	const char *has = api_version(c);
	struct version_number from, target;

	if (!*has || !parse(has, &from) || !parse(to, &target))
		return;
	if (order(&from) > order(&target))
		finding_add(f, c, "Version", LEVEL_ERROR, "take a bundle of a later version",
		            "its API server has Kubernetes %s, the bundle %s: an older one is no "
		            "upgrade",
		            has, to);
	else if (from.major != target.major || target.minor - from.minor > 1)
		finding_add(f, c, "Version", LEVEL_ERROR,
		            "upgrade with a bundle of each minor version between, one after the "
		            "other",
		            "its API server has Kubernetes %s, the bundle %s: more than one minor "
		            "version",
		            has, to);
}

static void check_kubelet(const struct candidate *c, const json_t *node, const char *to,
                          bool rollback, struct findings *f)
{
	const char *has = json_text(node, "version");
	struct version_number kubelet, target;

	if (!parse(has, &kubelet) || !parse(to, &target))
		return;
	if (kubelet.major != target.major || target.minor - kubelet.minor > KUBELET_MINORS)
		finding_add(f, c, "Skew", LEVEL_ERROR, "bring that node to a later version first",
		            "the kubelet of %s has %s: API servers of %s take none that is more "
		            "than %d minor versions older",
		            json_text(node, "name"), has, to, KUBELET_MINORS);
	else if (order(&kubelet) > order(&target) && !(rollback && kubelet.minor == target.minor))
		finding_add(f, c, "Skew", LEVEL_ERROR,
		            "take a bundle of that version or a later one",
		            "the kubelet of %s has %s, which is later than the bundle's %s",
		            json_text(node, "name"), has, to);
}

/* ---- what must be well before anything is changed ---- */

static void check_control_plane(const struct candidate *c, bool rollback, struct findings *f)
{
	const json_t *api = json_object_get(c->cluster, "apiserver");
	const json_t *etcd = json_object_get(c->cluster, "etcd");
	const char *state = json_text(etcd, "state");

	if (!json_flag(api, "local"))
		finding_add(f, c, "ControlPlane", rollback ? LEVEL_WARNING : LEVEL_ERROR,
		            "journalctl -u kubelet; ctr -n k8s.io containers ls",
		            "its own API server does not answer%s%s",
		            *json_text(api, "error") ? ": " : "", json_text(api, "error"));
	if (strcmp(state, "running") != 0 && strcmp(state, "external") != 0)
		finding_add(f, c, "Etcd", LEVEL_ERROR, "journalctl -u kubelet",
		            "its member of etcd does not answer%s%s",
		            *json_text(etcd, "error") ? ": " : "", json_text(etcd, "error"));
}

/* As one master sees them; each of them would say the same. */
static void check_members(const struct candidate *c, struct findings *f)
{
	const json_t *etcd = json_object_get(c->cluster, "etcd");
	size_t i;
	json_t *m;

	json_array_foreach (json_object_get(etcd, "members"), i, m) {
		const char *name = json_text(m, "name");

		if (!*name)
			name = json_text(m, "id");
		if (!json_flag(m, "alive"))
			finding_add(f, c, "Etcd", LEVEL_ERROR,
			            "start it, or remove it: etcdctl member remove",
			            "member %s of etcd does not answer", name);
		else if (json_flag(m, "learner"))
			finding_add(f, c, "Etcd", LEVEL_ERROR, "wait until it is a voting member",
			            "member %s of etcd is still a learner", name);
	}
}

static void check_nodes(const struct candidate *seed, const struct candidate *c, size_t n,
                        const char *to, bool rollback, struct findings *f)
{
	size_t i;
	json_t *node;

	json_array_foreach (json_object_get(seed->cluster, "nodes"), i, node) {
		const char *name = json_text(node, "name"), *address = json_text(node, "address");

		check_kubelet(seed, node, to, rollback, f);
		if (!json_flag(node, "ready"))
			finding_add(f, seed, "Node", rollback ? LEVEL_WARNING : LEVEL_ERROR,
			            "./install status tells why; or kubectl delete node NAME when "
			            "it is gone for good",
			            "node %s (%s) is not Ready", name, address);
		if (!candidates_have(c, n, address))
			finding_add(f, seed, "Node", LEVEL_ERROR,
			            "name it too: --master ADDRESS or --node ADDRESS",
			            "node %s (%s) is none of the machines that are known", name,
			            address);
	}
}

void upgrade_check(const struct candidate *c, size_t n, const char *to, bool rollback,
                   struct findings *f)
{
	const struct candidate *seed = NULL;

	for (size_t i = 0; i < n; i++) {
		if (candidate_state(&c[i]) != NODE_MEMBER) {
			finding_add(f, &c[i], "Node", LEVEL_ERROR,
			            "./install reset, or ./install join it first",
			            "it is no member of the cluster");
			continue;
		}
		if (!c[i].master)
			continue;
		if (rollback)
			check_way_back(&c[i], to, f);
		else
			check_api_version(&c[i], to, f);
		check_control_plane(&c[i], rollback, f);
		if (!seed && json_object_get(c[i].cluster, "nodes"))
			seed = &c[i];
	}
	if (rollback)
		check_was_there(c, n, to, f);
	if (!seed)
		return;
	check_members(seed, f);
	check_nodes(seed, c, n, to, rollback, f);
}

/* ---- what would stop it on its way ---- */

static void check_budgets(const struct candidate *c, struct findings *f)
{
	size_t i;
	json_t *b;

	json_array_foreach (json_object_get(c->obstacles, "budgets"), i, b)
		finding_add(f, c, "Budget", LEVEL_ERROR,
		            "kubectl get pdb -A; let it allow one disruption, or run one pod more",
		            "PodDisruptionBudget %s/%s wants %lld healthy pods and there are no "
		            "more: none of them may leave its node",
		            json_text(b, "namespace"), json_text(b, "name"),
		            fact_number(b, "pods", 0));
}

static void check_webhooks(const struct candidate *c, struct findings *f)
{
	size_t i;
	json_t *w;

	json_array_foreach (json_object_get(c->obstacles, "webhooks"), i, w)
		finding_add(f, c, "Webhook", LEVEL_ERROR,
		            "let its service answer, or set failurePolicy: Ignore meanwhile",
		            "webhook %s of %s must be asked, and its service %s/%s has no ready "
		            "endpoint: what the upgrade asks of the API server would be refused",
		            json_text(w, "name"), json_text(w, "configuration"),
		            json_text(w, "namespace"), json_text(w, "service"));
}

/* "1.32": the first version without it. */
static bool is_removed(const char *release, const struct version_number *to)
{
	int major, minor;

	return sscanf(release, "%d.%d", &major, &minor) == 2 && major == to->major &&
	       minor <= to->minor;
}

static void check_removed(const struct candidate *c, const char *to, struct findings *f)
{
	struct version_number target;
	size_t i;
	json_t *a;

	if (!parse(to, &target))
		return;
	json_array_foreach (json_object_get(c->obstacles, "deprecated"), i, a)
		if (is_removed(json_text(a, "removed"), &target))
			finding_add(f, c, "RemovedAPI", LEVEL_ERROR,
			            "find who asks (the API server's audit log has "
			            "k8s.io/removed-release), and move it to a later version",
			            "clients have asked its API server for %s of %s/%s, which "
			            "%s does not have: removed in %s",
			            json_text(a, "resource"), json_text(a, "group"),
			            json_text(a, "version"), to, json_text(a, "removed"));
}

void upgrade_check_obstacles(const struct candidate *c, size_t n, const char *to, bool drains,
                             struct findings *f)
{
	bool first = true;

	for (size_t i = 0; i < n; i++) {
		if (!c[i].obstacles)
			continue;
		if (first && drains)
			check_budgets(&c[i], f);
		if (first)
			check_webhooks(&c[i], f);
		first = false;
		check_removed(&c[i], to, f); /* each API server knows its own clients */
	}
}
