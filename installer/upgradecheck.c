// SPDX-License-Identifier: Apache-2.0
#include "upgradecheck.h"

#include "emulation.h"
#include "json.h"
#include "mem.h"
#include "preflight_checks.h"
#include "wellcheck.h"

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
	char works_as[MINOR_MAX], wanted[MINOR_MAX];

	if (!*has || !parse(has, &from) || !parse(to, &target))
		return;
	if (order(&from) < order(&target))
		finding_add(f, c, "Version", LEVEL_ERROR,
		            "./install upgrade; or take the bundle of the version before",
		            "its API server has Kubernetes %s, the bundle %s: a later one is no "
		            "way back",
		            has, to);
	emulation_minor(json_object_get(c->cluster, "apiserver"), works_as);
	minor_of(to, wanted);
	if (order(&from) > order(&target) && strcmp(works_as, wanted) != 0)
		finding_add(f, c, "Version", LEVEL_ERROR,
		            "docs/upgrade.md, \"The way back\": a snapshot of etcd's data",
		            "its API server has Kubernetes %s and works as %s, the bundle has %s: "
		            "no way back leads over a minor version that is committed",
		            has, works_as, to);
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
	char works_as[MINOR_MAX];
	int major, minor;

	if (!*has || !parse(has, &from) || !parse(to, &target))
		return;
	emulation_minor(json_object_get(c->cluster, "apiserver"), works_as);
	if (order(&from) > order(&target))
		finding_add(f, c, "Version", LEVEL_ERROR, "take a bundle of a later version",
		            "its API server has Kubernetes %s, the bundle %s: an older one is no "
		            "upgrade",
		            has, to);
	else if (sscanf(works_as, "%d.%d", &major, &minor) != 2 || major != target.major ||
	         target.minor - minor > 1)
		finding_add(f, c, "Version", LEVEL_ERROR,
		            "upgrade with a bundle of each minor version between, one after the "
		            "other",
		            "its API server has Kubernetes %s%s, the bundle %s: more than one "
		            "minor version",
		            has,
		            emulation_is_on(json_object_get(c->cluster, "apiserver"))
		                ? ", not committed"
		                : "",
		            to);
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

static void check_kubelets(const struct candidate *seed, const char *to, bool rollback,
                           struct findings *f)
{
	size_t i;
	json_t *node;

	json_array_foreach (json_object_get(seed->cluster, "nodes"), i, node)
		check_kubelet(seed, node, to, rollback, f);
}

void upgrade_check(const struct candidate *c, size_t n, const char *to, bool rollback,
                   struct findings *f)
{
	const struct candidate *seed = well_witness(c, n);

	for (size_t i = 0; i < n; i++)
		if (c[i].master && candidate_state(&c[i]) == NODE_MEMBER)
			(rollback ? check_way_back : check_api_version)(&c[i], to, f);
	if (rollback)
		check_was_there(c, n, to, f);
	if (seed)
		check_kubelets(seed, to, rollback, f);
	well_check(c, n, rollback, f);
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
