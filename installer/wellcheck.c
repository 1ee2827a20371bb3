// SPDX-License-Identifier: Apache-2.0
#include "wellcheck.h"

#include "emulation.h"
#include "err.h"
#include "json.h"
#include "preflight_checks.h"

#include <string.h>

/* A machine is well for that long before the next one follows. */
#define WELL_MS 30000

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

/* Its machine is one that could not be reached: that is said of the machine. */
static bool is_left_out(const struct candidate *c, size_t n, const char *address)
{
	char host[ADDR_STR_MAX];

	for (size_t i = 0; i < n; i++)
		if (!c[i].facts && c[i].addr && strcmp(addr_host(c[i].addr, host), address) == 0)
			return true;
	return false;
}

static void check_nodes(const struct candidate *seed, const struct candidate *c, size_t n,
                        bool rollback, struct findings *f)
{
	size_t i;
	json_t *node;

	json_array_foreach (json_object_get(seed->cluster, "nodes"), i, node) {
		const char *name = json_text(node, "name"), *address = json_text(node, "address");

		if (is_left_out(c, n, address))
			continue;
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

const struct candidate *well_witness(const struct candidate *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c[i].master && candidate_state(&c[i]) == NODE_MEMBER &&
		    json_object_get(c[i].cluster, "nodes"))
			return &c[i];
	return NULL;
}

void well_check(const struct candidate *c, size_t n, bool rollback, struct findings *f)
{
	const struct candidate *witness = well_witness(c, n);

	for (size_t i = 0; i < n; i++)
		if (!c[i].facts)
			finding_add(f, &c[i], "Node", LEVEL_WARNING,
			            "the same command when it can be reached again",
			            "it cannot be reached and is left out");
		else if (candidate_state(&c[i]) != NODE_MEMBER)
			finding_add(f, &c[i], "Node", LEVEL_ERROR,
			            "./install reset, or ./install join it first",
			            "it is no member of the cluster");
		else if (c[i].master)
			check_control_plane(&c[i], rollback, f);
	if (!witness)
		return;
	check_members(witness, f);
	check_nodes(witness, c, n, rollback, f);
}

/* ---- one machine, after it was changed ---- */

const json_t *well_own_node(const json_t *cluster)
{
	size_t i;
	json_t *n;

	json_array_foreach (json_object_get(cluster, "nodes"), i, n)
		if (json_flag(n, "self"))
			return n;
	return NULL;
}

const char *well_missing(const struct well_want *w, const json_t *cluster)
{
	const json_t *api = json_object_get(cluster, "apiserver");
	const json_t *node = well_own_node(cluster);
	const char *etcd = json_text(json_object_get(cluster, "etcd"), "state");
	char minor[MINOR_MAX];

	if (w->control_plane && !json_flag(api, "local"))
		return "its API server does not answer";
	if (w->api_version && strcmp(json_text(api, "version"), w->api_version) != 0)
		return "its API server has another version";
	emulation_minor(api, minor);
	if (w->works_as && strcmp(minor, w->works_as) != 0)
		return "its API server works as another minor version";
	if (w->control_plane && strcmp(etcd, "running") != 0 && strcmp(etcd, "external") != 0)
		return "its member of etcd does not answer";
	if (!json_flag(node, "ready"))
		return "its node is not Ready";
	if (w->kubelet_version && strcmp(json_text(node, "version"), w->kubelet_version) != 0)
		return "its kubelet has another version";
	return "";
}

enum step_verdict well_judge(const char *lacks, struct well_times *t, long long now,
                             struct err *err)
{
	if (!*lacks) {
		t->since = t->since ? t->since : now;
		if (now - t->since < (t->well_ms ? t->well_ms : WELL_MS))
			return VERDICT_AGAIN;
		t->since = 0;
		return VERDICT_DONE;
	}
	t->since = 0;
	if (now - t->began < t->wait_ms)
		return VERDICT_AGAIN;
	err_set(err,
	        "%s for %lld s (journalctl -u kubelet there); the other machines serve as they "
	        "did, the same command goes on",
	        lacks, t->wait_ms / 1000);
	return VERDICT_FAILED;
}
