// SPDX-License-Identifier: Apache-2.0
/*
 * The plan of an upgrade: files and images to all machines beside what runs, etcd's data saved, the
 * control planes one by one, then the programs of the masters, then the workers one by one, the pod
 * network last. Over a minor version the new control planes work as the old version first, and all
 * of them are committed, one by one, when they have been well together. A rollback goes from the
 * workers to the control planes, so that a kubelet that does not run is mended before kubeadm waits
 * for it. A machine without facts could not be reached and is left out. What is done already gives
 * no step, so that a run can be repeated at any point.
 */
#include "err.h"
#include "installation.h"
#include "json.h"
#include "mem.h"
#include "oci.h"
#include "wellcheck.h"

#include <stdlib.h>
#include <string.h>

/* Argument of a step that waits: for the API server's version, not for kubelet's. */
#define WAITS_FOR_API "control_plane"
/* The same: for that many ms on end, not for 30 s. */
#define SOAKS "soak_ms"
/* The same: for an API server that works as that minor version ("1.36"). */
#define WORKS_AS "works_as"
/* The same: for kubelet alone, on a master whose API server was not well before. */
#define WAITS_FOR_KUBELET "kubelet_only"

struct upgrade {
	struct installation *in;
	int *staged;     /* of each machine: its last step of the first part; 0: none */
	int first, last; /* the steps that the next one waits for */
};

static const json_t *state_of(const struct job *j)
{
	return json_object_get(j->facts, "state");
}

static const char *target(const struct installation *in)
{
	return in->session.bundle.k8s_version;
}

static size_t number_of(const struct upgrade *u, const struct job *j)
{
	return (size_t)(j - u->in->session.jobs.v);
}

static int add(struct upgrade *u, const struct job *on, const char *op, const char *name,
               json_t *args, const char *undo)
{
	return plan_add(&u->in->plan, op, name, number_of(u, on), on->host->name, args, undo);
}

static void needs_sequence(struct upgrade *u, int step)
{
	for (int before = u->first; before <= u->last; before++)
		plan_needs(&u->in->plan, step, before);
}

/* One more step of the sequence: after all that is in it, and only when that succeeded. */
static void then(struct upgrade *u, int step)
{
	needs_sequence(u, step);
	u->first = u->last = step;
}

static json_t *file_args(const struct upgrade *u, const struct job *j)
{
	return json_pack("{ss ss}", "index", u->in->session.bundle.index_digest.str, "role",
	                 j->host->master ? OCI_ROLE_CP : "worker");
}

static bool has_files(const struct upgrade *u, const struct job *j)
{
	const char *want = u->in->session.bundle.index_digest.str;

	return strcmp(json_text(state_of(j), "bundle"), want) == 0 &&
	       strcmp(json_text(state_of(j), "images"), want) == 0;
}

static const json_t *cluster_of(const struct upgrade *u, const struct job *j)
{
	return session_candidate(&u->in->session, j)->cluster;
}

/* ---- before anything is switched ---- */

static void plan_stage(struct upgrade *u)
{
	for (size_t i = 0; i < u->in->session.jobs.n; i++) {
		const struct job *j = &u->in->session.jobs.v[i];
		int stage;

		if (!j->facts || has_files(u, j))
			continue;
		stage = add(u, j, "stage", "stage files", file_args(u, j), "unstage");
		u->staged[i] = add(u, j, "images", "import images", file_args(u, j), NULL);
		plan_needs(&u->in->plan, u->staged[i], stage);
	}
}

/* ---- control planes ---- */

/* The API server says the version and works as it should, and the node's last kubeadm upgrade to it
 * has ended. A node without any was made by kubeadm of the version that is active. */
static bool control_plane_done(const struct upgrade *u, const struct job *j)
{
	const json_t *api = json_object_get(cluster_of(u, j), "apiserver");
	const char *by = json_text(state_of(j), "control_plane");

	if (!*by)
		by = json_text(state_of(j), "k8s");
	return strcmp(by, target(u->in)) == 0 &&
	       strcmp(json_text(api, "version"), target(u->in)) == 0 &&
	       emulation_is_on(api) == (*u->in->emulated != '\0');
}

static void needs_all_staged(struct upgrade *u, int step)
{
	for (size_t i = 0; i < u->in->session.jobs.n; i++)
		plan_needs(&u->in->plan, step, u->staged[i]);
}

static void plan_snapshots(struct upgrade *u)
{
	for (size_t i = 0; i < u->in->session.jobs.n; i++) {
		const struct job *j = &u->in->session.jobs.v[i];
		int step;

		if (!j->host->master || control_plane_done(u, j))
			continue;
		step = add(u, j, "snapshot", "save etcd's data", NULL, NULL);
		needs_all_staged(u, step);
		then(u, step);
	}
}

/* What the API servers of the new version work as: until commit, or for good. */
static void minor_after(const struct upgrade *u, bool commit, char minor[static MINOR_MAX])
{
	if (*u->in->emulated && !commit)
		memcpy(minor, u->in->emulated, MINOR_MAX);
	else
		minor_of(target(u->in), minor);
}

static const char *name_of(const char *verb, bool emulates, bool commit)
{
	bool apply = strcmp(verb, "apply") == 0;

	if (emulates)
		return apply ? "kubeadm upgrade apply, emulated" : "kubeadm upgrade node, emulated";
	if (commit)
		return apply ? "commit: kubeadm upgrade apply" : "commit: kubeadm upgrade node";
	return apply ? "kubeadm upgrade apply" : "kubeadm upgrade node";
}

static void plan_control_plane(struct upgrade *u, const struct job *j, const char *verb,
                               bool commit)
{
	json_t *args = file_args(u, j);
	bool emulates = *u->in->emulated && !commit;
	char minor[MINOR_MAX];
	int step;

	minor_after(u, commit, minor);
	json_object_set_new(args, "verb", json_string(verb));
	if (emulates)
		json_object_set_new(args, "emulate", json_string(minor));
	if (commit)
		json_object_set_new(args, "keep_certificates", json_true());
	step = add(u, j, "upgrade", name_of(verb, emulates, commit), args, NULL);
	needs_all_staged(u, step);
	then(u, step);
	then(u, add(u, j, "cluster", "wait for the control plane",
	            json_pack("{sb ss}", WAITS_FOR_API, 1, WORKS_AS, minor), NULL));
}

/*
 * `apply` changes the cluster's configuration too and is run on the first one that has not the
 * version. Masters that have it do not tell whether the configuration has: they may be those that a
 * run in the other direction had not come to. `apply` once more changes nothing.
 */
static void plan_control_planes(struct upgrade *u, bool commit)
{
	const struct jobs *jobs = &u->in->session.jobs;
	bool applied = false;

	for (size_t i = 0; i < jobs->n; i++) {
		const struct job *j = &jobs->v[i];

		if (!j->host->master || (!commit && control_plane_done(u, j)))
			continue;
		plan_control_plane(u, j, applied ? "node" : "apply", commit);
		applied = true;
	}
}

/* All control planes together have to be well for as long as the user says. */
static void plan_soak(struct upgrade *u)
{
	const struct installation *in = u->in;
	int first = 0, step = 0;

	for (size_t i = 0; i < in->session.jobs.n; i++) {
		if (!in->session.jobs.v[i].host->master)
			continue;
		step = add(u, &in->session.jobs.v[i], "cluster", "soak",
		           json_pack("{sb ss sI}", WAITS_FOR_API, 1, WORKS_AS, in->emulated, SOAKS,
		                     (json_int_t)in->session.opt->soak_ms),
		           NULL);
		needs_all_staged(u, step);
		needs_sequence(u, step);
		first = first ? first : step;
	}
	u->first = first;
	u->last = step;
}

/* ---- programs and kubelets ---- */

/* Images do not count here: plan_stage brings those that are missing. */
static bool kubelet_done(const struct upgrade *u, const struct job *j)
{
	const char *active = json_text(state_of(j), "bundle");
	const json_t *kubelet = json_object_get(cluster_of(u, j), "kubelet");

	return strcmp(active, u->in->session.bundle.index_digest.str) == 0 &&
	       json_flag(kubelet, "running") &&
	       strcmp(json_text(kubelet, "version"), target(u->in)) == 0 &&
	       json_flag(well_own_node(cluster_of(u, j)), "ready");
}

static bool serves(const struct upgrade *u, const struct job *j)
{
	return json_flag(json_object_get(cluster_of(u, j), "apiserver"), "local");
}

static void plan_programs(struct upgrade *u, const struct job *j)
{
	int step = add(u, j, "activate", "activate files", file_args(u, j), "deactivate");

	needs_all_staged(u, step);
	then(u, step);
	then(u, add(u, j, "images", "keep images", file_args(u, j), NULL));
	then(u, add(u, j, "kubelet", "start kubelet anew",
	            json_pack("{sb}", "others_serve",
	                      j->host->master && hostlist_masters(&u->in->session.hosts) > 1),
	            NULL));
	then(u, add(u, j, "cluster", "wait for the node",
	            json_pack("{sb}", WAITS_FOR_KUBELET, u->in->rollback && !serves(u, j)), NULL));
}

/* Pods can leave only where another node takes them and a kubelet ends them; a node without one is
 * there in a rollback alone. */
static bool can_drain(const struct upgrade *u, const struct job *j)
{
	size_t workers = 0;

	for (size_t i = 0; i < u->in->session.jobs.n; i++)
		workers += u->in->session.jobs.v[i].facts && !u->in->session.jobs.v[i].host->master;
	return workers > 1 && json_flag(well_own_node(cluster_of(u, j)), "ready");
}

static void plan_take_pods(struct upgrade *u, const char *name)
{
	then(u, add(u, u->in->seed, "uncordon", "take pods again", json_pack("{ss}", "node", name),
	            NULL));
}

static void plan_worker(struct upgrade *u, const struct job *j)
{
	const char *name = json_text(well_own_node(cluster_of(u, j)), "name");
	json_t *args = file_args(u, j);
	bool drained = can_drain(u, j);

	json_object_set_new(args, "verb", json_string("node"));
	if (drained)
		then(u, add(u, u->in->seed, "drain", "move pods away",
		            json_pack("{ss si}", "node", name, "seconds",
		                      (int)(u->in->session.opt->drain_ms / 1000)),
		            "uncordon"));
	then(u, add(u, j, "upgrade", "kubeadm upgrade node", args, NULL));
	plan_programs(u, j);
	if (drained)
		plan_take_pods(u, name);
}

static void plan_node(struct upgrade *u, const struct job *j)
{
	const json_t *node = well_own_node(cluster_of(u, j));

	if (!kubelet_done(u, j) && j->host->master)
		plan_programs(u, j);
	else if (!kubelet_done(u, j))
		plan_worker(u, j);
	else if (json_flag(node, "drained")) /* an earlier run was cut off */
		plan_take_pods(u, json_text(node, "name"));
}

/* Those that are not Ready come first: pods of the others find a place there then. */
static void plan_nodes(struct upgrade *u, bool masters)
{
	for (int ready = 0; ready < 2; ready++)
		for (size_t i = 0; i < u->in->session.jobs.n; i++) {
			const struct job *j = &u->in->session.jobs.v[i];
			const json_t *node = well_own_node(cluster_of(u, j));

			if (j->facts && j->host->master == masters &&
			    json_flag(node, "ready") == ready)
				plan_node(u, j);
		}
}

/* ---- the two directions ---- */

/* Over a minor version the way back is open until commit. */
static void plan_forward(struct upgrade *u)
{
	plan_control_planes(u, false);
	if (*u->in->emulated)
		plan_soak(u);
	if (u->in->session.opt->hold)
		return;
	if (*u->in->emulated)
		plan_control_planes(u, true);
	plan_nodes(u, true);
	plan_nodes(u, false);
}

static void plan_back(struct upgrade *u)
{
	plan_nodes(u, false);
	plan_nodes(u, true);
	plan_control_planes(u, false);
}

/* ---- the end ---- */

/* Did an earlier run end before all machines knew of the version? */
static bool all_know(const struct upgrade *u)
{
	for (size_t i = 0; i < u->in->session.jobs.n; i++) {
		const json_t *known = json_object_get(state_of(&u->in->session.jobs.v[i]),
		                                      "cluster");

		if (u->in->session.jobs.v[i].facts &&
		    strcmp(json_text(known, "k8s"), target(u->in)) != 0)
			return false;
	}
	return true;
}

static void plan_end(struct upgrade *u)
{
	const struct installation *in = u->in;
	const struct addr *vip = &in->session.cfg.vip;
	const char *network = json_text(state_of(in->seed), "network");
	char host[ADDR_STR_MAX];

	if (*network && strcmp(network, "none") != 0) {
		then(u, add(u, in->seed, "configuration", "read the configuration",
		            json_pack("{sb}", "all", true), NULL));
		then(u, add(u, in->seed, "addons", "pod network",
		            json_pack("{ss ss ss ss si}", "cni", network, "proxy_mode",
		                      "$(proxy_mode)", "pod_cidr", in->session.cfg.pod_cidr, "vip",
		                      addr_host(vip, host), "port", vip->port),
		            NULL));
	}
	for (size_t i = 0; i < in->session.jobs.n; i++)
		if (in->session.jobs.v[i].facts)
			then(u, add(u, &in->session.jobs.v[i], "remember", "remember the cluster",
			            json_pack("{ss}", "cluster", "$(record)"), NULL));
}

/* ---- waiting ---- */

static enum step_verdict take_proxy_mode(struct installation *in, const json_t *answer)
{
	const json_t *doc = config_doc_of_kind(json_object_get(answer, "docs"),
	                                       "KubeProxyConfiguration");
	const char *mode = json_text(doc, "mode");

	json_object_set_new(in->runner.values, "proxy_mode",
	                    json_string(*mode ? mode : "iptables"));
	return VERDICT_DONE;
}

static enum step_verdict judge_machine(struct installation *in, const struct step *s,
                                       const json_t *cluster, struct err *err)
{
	bool control_plane = json_flag(s->args, WAITS_FOR_API);
	const struct well_want want = {
	    .control_plane = in->session.jobs.v[s->machine].host->master &&
	                     !json_flag(s->args, WAITS_FOR_KUBELET),
	    .api_version = control_plane ? target(in) : NULL,
	    .works_as = json_string_value(json_object_get(s->args, WORKS_AS)),
	    .kubelet_version = control_plane ? NULL : target(in),
	};
	long long soak_ms = json_integer_value(json_object_get(s->args, SOAKS));
	enum step_verdict v = installation_await(in, s, &want, cluster, soak_ms, err);

	if (v == VERDICT_FAILED && want.works_as && strcmp(want.works_as, in->emulated) == 0)
		err_wrap(err, "nothing is committed, ./install rollback leads back");
	return v;
}

enum step_verdict upgrade_judge(struct installation *in, const struct step *s, const json_t *answer,
                                struct err *err)
{
	if (!answer)
		return VERDICT_FAILED;
	if (strcmp(s->op, "configuration") == 0)
		return take_proxy_mode(in, answer);
	return judge_machine(in, s, answer, err);
}

int upgrade_plan(struct installation *in, struct err *err)
{
	size_t n = in->session.jobs.n;
	auto_free int *staged = xcalloc(n, sizeof(*staged));
	struct upgrade u = {.in = in, .staged = staged};

	if (plan_init(&in->plan, err) < 0)
		return -1;
	in->well = xcalloc(n, sizeof(*in->well));
	plan_stage(&u);
	plan_snapshots(&u);
	if (in->rollback)
		plan_back(&u);
	else
		plan_forward(&u);
	if ((in->plan.n || !all_know(&u)) && !in->session.opt->hold)
		plan_end(&u);
	then(&u, add(&u, in->seed, "status", "wait until ready", NULL, NULL));
	return 0;
}
