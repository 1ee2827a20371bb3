// SPDX-License-Identifier: Apache-2.0
#include "cluster.h"

#include "emulation.h"
#include "err.h"
#include "etcd.h"
#include "json.h"

#include <stdio.h>
#include <string.h>

static bool state_is(const json_t *cluster, const char *part, const char *state)
{
	return strcmp(json_text(json_object_get(cluster, part), "state"), state) == 0;
}

/* ---- another bundle ---- */

struct wanted {
	const char *version, *digest;
};

/* "v1.37.2" and "1.37.2" are the same version. */
static bool same_version(const char *a, const char *b)
{
	return strcmp(a + (*a == 'v'), b + (*b == 'v')) == 0;
}

static int refuse(const struct cluster_view *v, const char *what, const char *has,
                  const struct wanted *w, struct err *err)
{
	return err_set(
	    err,
	    "%s: %s has Kubernetes %s and the bundle has %s: a running cluster keeps its "
	    "version here, take the bundle of %s (nothing was changed)",
	    v->name, what, has, w->version, has);
}

static int check_nodes(const struct cluster_view *v, const struct wanted *w, struct err *err)
{
	size_t i;
	json_t *n;

	json_array_foreach (json_object_get(v->cluster, "nodes"), i, n) {
		const char *has = json_text(n, "version");
		char what[300];

		if (!json_flag(n, "control_plane") && !json_flag(n, "self"))
			continue;
		snprintf(what, sizeof(what), "the kubelet of %s", json_text(n, "name"));
		if (*has && !same_version(has, w->version))
			return refuse(v, what, has, w, err);
	}
	return 0;
}

/* Is a cluster on this machine? Files of ours alone are none, nor is what an interrupted run left
 * that may be cleared without asking. */
static bool has_cluster(const struct cluster_view *v)
{
	if (half_run_decide(v->facts, v->cluster, NULL, 0) == HALF_CLEAR)
		return false;
	return json_flag(v->facts, "kubelet_conf") || json_flag(v->facts, "admin_conf") ||
	       json_flag(v->facts, "apiserver_manifest") || json_flag(v->facts, "etcd_data") ||
	       state_is(v->cluster, "apiserver", "answers") ||
	       state_is(v->cluster, "etcd", "running") || state_is(v->cluster, "etcd", "data");
}

static int check_version(const struct cluster_view *v, const struct wanted *w, struct err *err)
{
	const json_t *kubelet = json_object_get(v->cluster, "kubelet");
	const char *api = json_text(json_object_get(v->cluster, "apiserver"), "version");
	const char *own = json_text(kubelet, "version");
	const char *record = json_text(json_object_get(v->facts, "state"), "k8s");

	if (emulation_is_on(json_object_get(v->cluster, "apiserver")))
		return err_set(err,
		               "%s: an upgrade to Kubernetes %s is held before commit here: "
		               "./install upgrade goes on, ./install rollback leads back (nothing "
		               "was changed)",
		               v->name, api);
	if (*api && !same_version(api, w->version))
		return refuse(v, "its API server", api, w, err);
	if (check_nodes(v, w, err) < 0)
		return -1;
	if (*own && json_flag(kubelet, "running") && !same_version(own, w->version))
		return refuse(v, "its kubelet", own, w, err);
	if (*record && !same_version(record, w->version))
		return refuse(v, "its record of what was installed", record, w, err);
	return 0;
}

static int check_build(const struct cluster_view *v, const struct wanted *w, bool yes,
                       struct err *err)
{
	const char *build = json_text(json_object_get(v->facts, "state"), "bundle");

	if (yes || !*build || strcmp(build, w->digest) == 0)
		return 0;
	return err_set(
	    err,
	    "%s: it has another build of the same Kubernetes version %s: add --yes to "
	    "switch it to this bundle, which restarts its containerd (nothing was changed)",
	    v->name, w->version);
}

int cluster_check_bundle(const struct cluster_view *v, size_t n, const char *version,
                         const char *digest, bool yes, struct err *err)
{
	const struct wanted w = {version, digest};

	for (size_t i = 0; i < n; i++)
		if (has_cluster(&v[i]) && check_version(&v[i], &w, err) < 0)
			return -1;
	for (size_t i = 0; i < n; i++)
		if (has_cluster(&v[i]) && check_build(&v[i], &w, yes, err) < 0)
			return -1;
	return 0;
}

/* ---- an interrupted run ---- */

/* Is this machine's member one of several, and do the others have a quorum without it? */
static bool others_have_all(const json_t *etcd)
{
	const json_t *members = json_object_get(etcd, "members");
	const char *self = json_text(etcd, "self");
	size_t i, voters = 0, alive = 0;
	json_t *m;

	json_array_foreach (members, i, m)
		if (!json_flag(m, "learner") && (!*self || m != etcd_member(members, self))) {
			voters++;
			alive += json_flag(m, "alive");
		}
	return *self && voters && alive > voters / 2;
}

static size_t count_nodes(const json_t *cluster)
{
	return json_array_size(json_object_get(cluster, "nodes"));
}

/* Runs, alone, and no node was ever registered. */
static bool is_empty(const json_t *etcd)
{
	const json_t *nodes = json_object_get(etcd, "nodes");

	return json_array_size(json_object_get(etcd, "members")) == 1 && json_is_integer(nodes) &&
	       json_integer_value(nodes) == 0;
}

static enum half_run decide_init(const json_t *cluster)
{
	const json_t *etcd = json_object_get(cluster, "etcd");
	bool answers = json_flag(json_object_get(cluster, "apiserver"), "local");

	if (json_flag(cluster, "complete"))
		return HALF_MEMBER;
	/* others have joined since: the record is stale, and init would change what they use */
	if (answers)
		return count_nodes(cluster) > 1 ||
		               json_array_size(json_object_get(etcd, "members")) > 1
		           ? HALF_MEMBER
		           : HALF_CONTINUE;
	if (state_is(cluster, "etcd", "none"))
		return HALF_CLEAR;
	/* a control plane that never came up: what it has is what init put there, and stays */
	if (is_empty(etcd))
		return HALF_CONTINUE;
	return others_have_all(etcd) ? HALF_ASK : HALF_ASK_LOSS;
}

static enum half_run decide_join(const json_t *facts, const json_t *cluster)
{
	const json_t *etcd = json_object_get(cluster, "etcd");
	const json_t *self = etcd_member(json_object_get(etcd, "members"), json_text(etcd, "self"));
	bool worker = state_is(cluster, "etcd", "none") || state_is(cluster, "etcd", "external");

	if (json_flag(cluster, "complete") && (worker || (self && !json_flag(self, "learner"))))
		return HALF_MEMBER;
	if (worker && !json_flag(facts, "kubelet_conf") &&
	    !json_flag(json_object_get(cluster, "apiserver"), "local"))
		return HALF_CLEAR;
	/* a worker has no data of the cluster's, but pods may run on it */
	return worker || others_have_all(etcd) ? HALF_ASK : HALF_ASK_LOSS;
}

static void explain(enum half_run h, const json_t *interrupted, char *why, size_t size)
{
	static const char *const then[] = {
	    [HALF_NONE] = "",
	    [HALF_MEMBER] = "its node is a member of the cluster: going on from there",
	    [HALF_CONTINUE] = "its control plane, or its etcd without any node, answers: "
			      "going on with it",
	    [HALF_CLEAR] = "nothing of it answers and etcd has no data: clearing it",
	    [HALF_ASK] =
		"add --yes to clear what it left; the cluster's other members keep all data",
	    [HALF_ASK_LOSS] =
		"etcd has data here that would be lost: make its API server answer and "
		"repeat the command, or add --accept-data-loss to clear it",
	};
	const char *at = json_text(interrupted, "at");

	snprintf(why, size, "an earlier run was interrupted in kubeadm %s%s%s; %s",
	         json_text(interrupted, "verb"), *at ? " at " : "", at, then[h]);
}

enum half_run half_run_decide(const json_t *facts, const json_t *cluster, char *why, size_t size)
{
	const json_t *interrupted = json_object_get(cluster, "interrupted");
	const char *verb = json_text(interrupted, "verb");
	enum half_run h;

	if (strcmp(verb, "init") == 0)
		h = decide_init(cluster);
	else if (strcmp(verb, "join") == 0)
		h = decide_join(facts, cluster);
	else
		return HALF_NONE;
	if (why)
		explain(h, interrupted, why, size);
	return h;
}
