// SPDX-License-Identifier: Apache-2.0
/*
 * The plan of install and join: from what is known of the machines to the steps that are missing.
 * What is done already gives no step, so that a run can be repeated at any point.
 */
#include "addons.h"
#include "err.h"
#include "halfrun.h"
#include "installation.h"
#include "json.h"
#include "mem.h"
#include "oci.h"
#include "state.h"
#include "strbuf.h"
#include "validate.h"

#include <stdlib.h>
#include <string.h>

/* Numbers of the steps that others depend on; 0: there is no such step. */
struct numbers {
	int *images; /* of each machine: the last one that brings files */
	int *member; /* of each machine: the one that makes it a member */
	int validate, network, token, certs;
	int last_master; /* that joins */
};

static const json_t *state_of(const struct job *j)
{
	return json_object_get(j->facts, "state");
}

/* A member that has this very bundle needs nothing. */
static bool needs_files(const struct installation *in, const struct job *j)
{
	const char *want = in->session.bundle.index_digest.str;

	return !is_member(in, j) || strcmp(json_text(state_of(j), "bundle"), want) != 0 ||
	       strcmp(json_text(state_of(j), "images"), want) != 0;
}

struct job *choose_seed(struct installation *in)
{
	struct jobs *jobs = &in->session.jobs;
	struct job *first = NULL;

	for (size_t i = 0; i < jobs->n; i++) {
		struct job *j = &jobs->v[i];

		if (!j->host->master || !j->facts)
			continue;
		if (is_member(in, j))
			return j;
		if (!first)
			first = j;
	}
	return first;
}

static bool to_join(const struct installation *in, const struct job *j)
{
	return j->facts && j != in->seed && !is_member(in, j);
}

static size_t count_to_join(const struct installation *in, bool masters_only)
{
	const struct jobs *jobs = &in->session.jobs;
	size_t n = 0;

	for (size_t i = 0; i < jobs->n; i++)
		n += to_join(in, &jobs->v[i]) && (jobs->v[i].host->master || !masters_only);
	return n;
}

/* The seed was initialised by us, perhaps in a run that ended right after that. */
static bool lacks_network(const struct installation *in)
{
	const json_t *state = state_of(in->seed);

	if (!is_member(in, in->seed))
		return true;
	return strcmp(json_text(state, "kubeadm"), "init") == 0 && !*json_text(state, "network");
}

/* The cluster's network is that of another bundle. */
static bool other_network(const struct installation *in)
{
	return is_member(in, in->seed) && strcmp(in->session.opt->cni, "flannel") == 0 &&
	       addons_due(state_of(in->seed), in->session.bundle.index_digest.str);
}

static int add(struct installation *in, const struct job *j, const char *op, const char *name,
               json_t *args, const char *undo)
{
	return plan_add(&in->plan, op, name, (size_t)(j - in->session.jobs.v), j->host->name, args,
	                undo);
}

/* ---- files ---- */

static json_t *file_args(const struct installation *in, const struct job *j)
{
	return json_pack("{ss ss}", "index", in->session.bundle.index_digest.str, "role",
	                 j->host->master ? OCI_ROLE_CP : "worker");
}

/* Where the bundle's kubeadm could not run here, the first machine that has it checks --config. */
static void plan_validate(struct installation *in, struct numbers *no, const struct job *j,
                          int stage)
{
	if (!in->session.unvalidated || no->validate)
		return;
	no->validate = add(in, j, "validate", "check --config",
	                   config_validate_args(&in->session.cfg, &in->session.bundle.index_digest),
	                   NULL);
	plan_needs(&in->plan, no->validate, stage);
}

static void plan_files(struct installation *in, struct numbers *no)
{
	struct jobs *jobs = &in->session.jobs;

	for (size_t i = 0; i < jobs->n; i++) {
		const struct job *j = &jobs->v[i];
		int stage, activate;

		if (!j->facts || !needs_files(in, j))
			continue;
		stage = add(in, j, "stage", "stage files", file_args(in, j), "unstage");
		plan_validate(in, no, j, stage);
		activate = add(in, j, "activate", "activate files", file_args(in, j), "deactivate");
		plan_needs(&in->plan, activate, stage);
		plan_needs(&in->plan, activate, no->validate);
		no->images[i] = add(in, j, "images", "import images", file_args(in, j), NULL);
		plan_needs(&in->plan, no->images[i], activate);
	}
}

/* ---- kubeadm ---- */

/* Room for what a node_config borrows. */
struct node_text {
	char address[64], second[64];
};

static struct node_config node_config(const struct installation *in, const struct job *j,
                                      struct node_text *text)
{
	const struct candidate *k = session_candidate(&in->session, j);
	const struct cluster_config *cfg = &in->session.cfg;
	bool both = config_has_family(cfg, AF_INET) && config_has_family(cfg, AF_INET6);

	return (struct node_config){
	    .address = candidate_address(k, text->address),
	    .address6 = both && second_address(in, j, text->second) ? text->second : NULL,
	    .name = j->host->node_name,
	    .labels = j->host->labels,
	    .taints = j->host->taints,
	    .fresh_etcd = candidate_fresh_etcd(k),
	    .nameserver = !json_is_false(json_object_get(k->facts, "nameserver")),
	};
}

static json_t *kubeadm_args(const struct installation *in, const struct job *j, json_t *docs,
                            json_t *masters)
{
	const struct candidate *k = session_candidate(&in->session, j);
	char vip[ADDR_STR_MAX];
	json_t *args = json_pack("{so so ss}", "docs", docs, "masters", masters, "vip",
	                         addr_host(&in->session.cfg.vip, vip));

	if (k->clear_copies || k->clear_all)
		json_object_set_new(args, "clear",
		                    json_string(k->clear_all ? CLEAR_ALL : CLEAR_COPIES));
	return args;
}

static void plan_init_step(struct installation *in, struct numbers *no)
{
	size_t seed = (size_t)(in->seed - in->session.jobs.v);
	char self[80];
	struct node_text text;
	struct node_config n = node_config(in, in->seed, &text);

	api_address(in, in->seed, self, sizeof(self));
	no->member[seed] = add(in, in->seed, "init", "kubeadm init",
	                       kubeadm_args(in, in->seed, config_init_docs(&in->session.cfg, &n),
	                                    json_pack("[s]", self)),
	                       "reset");
	plan_needs(&in->plan, no->member[seed], no->images[seed]);
}

/* The pod network; the node remembers it, "none" too. */
static void plan_network(struct installation *in, struct numbers *no)
{
	size_t seed = (size_t)(in->seed - in->session.jobs.v);
	const struct addr *vip = &in->session.cfg.vip;
	char host[ADDR_STR_MAX];

	no->network = add(in, in->seed, "addons", "pod network",
	                  json_pack("{ss ss ss ss si ss}", "cni", in->session.opt->cni,
	                            "proxy_mode", config_proxy_mode(&in->session.cfg), "pod_cidr",
	                            in->session.cfg.pod_cidr, "vip", addr_host(vip, host), "port",
	                            vip->port, "index", in->session.bundle.index_digest.str),
	                  NULL);
	plan_needs(&in->plan, no->network, no->member[seed]);
	plan_needs(&in->plan, no->network, no->images[seed]);
	/* of a cluster that runs: its pods are made anew, each with the image that its node has */
	for (size_t i = 0; is_member(in, in->seed) && i < in->session.jobs.n; i++)
		if (no->images[i])
			plan_after(&in->plan, no->network, no->images[i]);
}

/* kubeadm looks for a default route unless it is told the API server's address. */
static json_t *certs_args(const struct installation *in)
{
	const struct cluster_config *cfg = &in->session.cfg;
	char address[64];

	candidate_address(session_candidate(&in->session, in->seed), address);
	return json_pack("{sO* s{ss si}}", "timeouts", config_timeouts(cfg), "endpoint",
	                 "advertiseAddress", address, "bindPort", (int)config_bind_port(cfg));
}

/* Token and certificates are made when all machines have their files: their lives are short. */
static void plan_secrets(struct installation *in, struct numbers *no)
{
	size_t seed = (size_t)(in->seed - in->session.jobs.v);

	if (!count_to_join(in, false))
		return;
	no->token = add(in, in->seed, "token", "join token", NULL, "forget");
	plan_needs(&in->plan, no->token, no->member[seed]);
	plan_needs(&in->plan, no->token, no->network);
	for (size_t i = 0; i < in->session.jobs.n; i++)
		if (no->images[i])
			plan_after(&in->plan, no->token, no->images[i]);
	if (!count_to_join(in, true))
		return;
	no->certs = add(in, in->seed, "certs", "share certificates", certs_args(in), "forget");
	plan_needs(&in->plan, no->certs, no->token);
}

static int add_join(struct installation *in, const struct job *j, const struct numbers *no)
{
	struct node_text text;
	struct node_config n = node_config(in, j, &text);
	json_t *docs = config_join_docs(&in->session.cfg, &n, "$(token)", "$(ca_hash)",
	                                j->host->master ? "$(certificate_key)" : NULL);
	int step = add(in, j, "join", "kubeadm join",
	               kubeadm_args(in, j, docs, json_string("$(masters)")), "reset");

	plan_needs(&in->plan, step, no->images[j - in->session.jobs.v]);
	plan_needs(&in->plan, step, no->token);
	return step;
}

/* etcd takes one new member at a time; after a failure no further one is tried. */
static void plan_masters(struct installation *in, struct numbers *no)
{
	for (size_t i = 0; i < in->session.jobs.n; i++) {
		const struct job *j = &in->session.jobs.v[i];

		if (!j->host->master || !to_join(in, j))
			continue;
		no->member[i] = add_join(in, j, no);
		plan_needs(&in->plan, no->member[i], no->certs);
		plan_needs(&in->plan, no->member[i], no->last_master);
		no->last_master = no->member[i];
	}
}

static void plan_workers(struct installation *in, struct numbers *no)
{
	for (size_t i = 0; i < in->session.jobs.n; i++) {
		const struct job *j = &in->session.jobs.v[i];

		if (j->host->master || !to_join(in, j))
			continue;
		no->member[i] = add_join(in, j, no);
		plan_after(&in->plan, no->member[i], no->last_master);
	}
}

static void after_all_joins(struct installation *in, const struct numbers *no, int step)
{
	for (size_t i = 0; i < in->session.jobs.n; i++)
		if (no->member[i])
			plan_after(&in->plan, step, no->member[i]);
}

/* ---- the end ---- */

/* What every member must know once all have joined. */
static void plan_members(struct installation *in, const struct numbers *no)
{
	char vip[ADDR_STR_MAX];

	addr_str(&in->session.cfg.vip, vip);
	for (size_t i = 0; i < in->session.jobs.n; i++) {
		const struct job *j = &in->session.jobs.v[i];
		int steps[3];

		if (!j->facts || (!is_member(in, j) && !no->member[i]))
			continue;
		steps[0] = add(in, j, "lvscare", "virtual IP",
		               json_pack("{ss ss}", "masters", "$(masters)", "vip", vip), NULL);
		steps[1] = add(in, j, "remember", "remember the cluster",
		               json_pack("{ss}", "cluster", "$(record)"), NULL);
		steps[2] = add(in, j, "kubeconfig", "kubectl's configuration", NULL, NULL);
		after_all_joins(in, no, steps[0]);
		for (int k = 0; k < 3; k++)
			plan_needs(&in->plan, steps[k], k ? steps[k - 1] : no->member[i]);
	}
}

static void plan_ready(struct installation *in, const struct numbers *no)
{
	size_t seed = (size_t)(in->seed - in->session.jobs.v);
	int before = (int)in->plan.n, step;

	step = add(in, in->seed, "status", "wait until ready", NULL, NULL);
	plan_needs(&in->plan, step, no->member[seed]);
	plan_needs(&in->plan, step, no->network);
	for (int i = 1; i <= before; i++)
		plan_after(&in->plan, step, i);
}

/* Names and addresses in documents that are for one machine. */
static int check_fits(const struct installation *in, struct err *err)
{
	for (size_t i = 0; i < in->session.jobs.n; i++) {
		const struct job *j = &in->session.jobs.v[i];
		struct node_text text;
		struct node_config n;

		if (!j->facts || is_member(in, j))
			continue;
		n = node_config(in, j, &text);
		if (config_fits(&in->session.cfg,
		                j == in->seed ? "InitConfiguration" : "JoinConfiguration", &n,
		                err) < 0)
			return -1;
	}
	return 0;
}

int cluster_plan(struct installation *in, struct err *err)
{
	size_t n = in->session.jobs.n;
	auto_free int *images = xcalloc(n, sizeof(*images));
	auto_free int *member = xcalloc(n, sizeof(*member));
	struct numbers no = {.images = images, .member = member};

	if (check_fits(in, err) < 0 || plan_init(&in->plan, err) < 0)
		return -1;
	plan_files(in, &no);
	if (!is_member(in, in->seed))
		plan_init_step(in, &no);
	if (lacks_network(in) || other_network(in))
		plan_network(in, &no);
	plan_secrets(in, &no);
	plan_masters(in, &no);
	plan_workers(in, &no);
	if (no.token) {
		int forget = add(in, in->seed, "forget", "delete the join token",
		                 json_pack("{ss}", "token_id", "$(token_id)"), NULL);

		plan_needs(&in->plan, forget, no.token);
		after_all_joins(in, &no, forget);
		plan_step(&in->plan, forget)->cleanup = true;
	}
	plan_members(in, &no);
	plan_ready(in, &no);
	return 0;
}

static const char *becomes(const struct installation *in, const struct job *j)
{
	enum node_state s = candidate_state(session_candidate(&in->session, j));

	if (s == NODE_MEMBER)
		return needs_files(in, j) ? "a member, gets files and images"
		                          : "a member, nothing to do";
	if (s == NODE_HALF)
		return j == in->seed ? "goes on with an interrupted kubeadm init"
		                     : "goes on with an interrupted kubeadm join";
	return j == in->seed ? "files, images, kubeadm init" : "files, images, kubeadm join";
}

void cluster_plan_print(struct installation *in)
{
	for (size_t i = 0; i < in->session.jobs.n; i++) {
		const struct job *j = &in->session.jobs.v[i];
		char own[64];

		if (!j->facts)
			continue;
		printf("%s: %s: %s (%s)\n", j->host->name, j->host->master ? "master" : "worker",
		       becomes(in, j), candidate_address(session_candidate(&in->session, j), own));
	}
	plan_print(&in->plan, stdout);
}
