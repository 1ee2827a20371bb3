// SPDX-License-Identifier: Apache-2.0
/*
 * install and join: look at all machines, check, bring the files, initialise or find the first
 * control plane, join the others, wait until all is ready. Whatever is done already is left alone,
 * so that a run can be repeated at any point.
 */
#include "course.h"
#include "err.h"
#include "log.h"
#include "mem.h"
#include "node.h"
#include "state.h"
#include "strbuf.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define API_PORT 6443
#define POLL_MS  2000

static struct candidate *cand(struct course *c, const struct job *j)
{
	return &c->run.cand[j - c->run.jobs.v];
}

static bool is_member(struct course *c, const struct job *j)
{
	return candidate_state(cand(c, j)) == NODE_MEMBER;
}

/* ---- addresses ---- */

static void api_address(struct course *c, const struct job *j, char *out, size_t len)
{
	char host[64];

	candidate_address(cand(c, j), host);
	snprintf(out, len, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, API_PORT);
}

/* Of all masters that are members, those of the record that take no part in this run too. */
static json_t *member_masters(struct course *c)
{
	json_t *list = json_array(), *v;
	size_t i;

	for (i = 0; i < c->run.jobs.n; i++) {
		struct job *j = &c->run.jobs.v[i];
		char addr[80];

		if (!j->host->master || !j->facts || !is_member(c, j))
			continue;
		api_address(c, j, addr, sizeof(addr));
		json_array_append_new(list, json_string(addr));
	}
	json_array_foreach (json_object_get(c->record, "masters"), i, v) {
		size_t k;
		json_t *seen;
		bool twice = false;

		json_array_foreach (list, k, seen)
			twice |= json_equal(seen, v);
		if (!twice)
			json_array_append(list, v);
	}
	return list;
}

static struct node_config node_config(struct course *c, const struct job *j, char buf[static 64])
{
	const struct candidate *k = cand(c, j);

	return (struct node_config){
	    .address = candidate_address(k, buf),
	    .nameserver = !json_is_false(json_object_get(k->facts, "nameserver")),
	};
}

/* kubeadm's arguments that init and join share. */
static json_t *kubeadm_args(struct course *c, json_t *docs, json_t *masters)
{
	char vip[ADDR_STR_MAX];

	return json_pack("{so so ss}", "docs", docs, "masters", masters, "vip",
	                 addr_host(&c->run.cfg.vip, vip));
}

/* The node's new condition in the facts that we hold. */
static void now_member(struct job *j)
{
	json_t *state = json_object_get(j->facts, "state");

	json_object_set_new(j->facts, "kubelet_conf", json_true());
	json_object_set_new(j->facts, "ours", json_true());
	json_object_set_new(state, "kubeadm", json_string(j->host->master ? "init" : "join"));
}

/* ---- steps ---- */

static json_t *prepare_args(const struct job *j, void *ctx)
{
	(void)ctx;
	return json_pack("{sb}", "control_plane", j->host->master);
}

/* A member that has this very bundle needs nothing. */
static bool needs_files(const struct job *j, void *ctx)
{
	struct course *c = ctx;
	const json_t *state = json_object_get(j->facts, "state");
	const char *want = c->run.bundle.index_digest.str;

	return !is_member(c, j) || strcmp(state_string(state, "bundle"), want) != 0 ||
	       strcmp(state_string(state, "images"), want) != 0;
}

static int bring_files(struct course *c)
{
	struct jobs *jobs = &c->run.jobs;

	jobs_run(jobs, "prepare", "files and images", needs_files, prepare_args, c);
	for (size_t i = 0; i < jobs->n; i++)
		c->changed |= json_is_true(json_object_get(jobs->v[i].result, "changed"));
	return 0;
}

/* The first member among the masters; else the first master, which is to be initialised. */
static struct job *choose_seed(struct course *c)
{
	struct jobs *jobs = &c->run.jobs;
	struct job *first = NULL;

	for (size_t i = 0; i < jobs->n; i++) {
		struct job *j = &jobs->v[i];

		if (!j->host->master || j->failed)
			continue;
		if (is_member(c, j))
			return j;
		if (!first)
			first = j;
	}
	return first;
}

/* The pod network; the node remembers it, "none" too. */
static int addons(struct course *c)
{
	const struct options *o = c->run.opt;
	const struct addr *vip = &c->run.cfg.vip;
	char host[ADDR_STR_MAX];

	return jobs_run_one(&c->run.jobs, c->seed, "addons", "pod network",
	                    json_pack("{ss ss ss si}", "cni", o->cni, "pod_cidr",
	                              c->run.cfg.pod_cidr, "vip", addr_host(vip, host), "port",
	                              vip->port));
}

static int initialise(struct course *c)
{
	char buf[64], self[80];
	struct node_config n = node_config(c, c->seed, buf);
	json_t *args;

	api_address(c, c->seed, self, sizeof(self));
	args = kubeadm_args(c, config_init_docs(&c->run.cfg, &n), json_pack("[s]", self));
	if (jobs_run_one(&c->run.jobs, c->seed, "init", "kubeadm init", args) < 0)
		return -1;
	now_member(c->seed);
	c->changed = true;
	return 0;
}

/* The seed was initialised by us, perhaps in a run that ended right after that. */
static bool lacks_network(const struct course *c)
{
	const json_t *state = json_object_get(c->seed->facts, "state");

	return strcmp(state_string(state, "kubeadm"), "init") == 0 &&
	       !*state_string(state, "network");
}

static bool to_join(struct course *c, const struct job *j)
{
	return j != c->seed && !j->failed && !is_member(c, j);
}

static size_t count_to_join(struct course *c, bool masters_only)
{
	size_t n = 0;

	for (size_t i = 0; i < c->run.jobs.n; i++) {
		const struct job *j = &c->run.jobs.v[i];

		n += to_join(c, j) && (j->host->master || !masters_only);
	}
	return n;
}

static char *take_string(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return xstrdup(s ? s : "");
}

static int fetch_secrets(struct course *c)
{
	if (!count_to_join(c, false))
		return 0;
	if (jobs_run_one(&c->run.jobs, c->seed, "token", "join token", NULL) < 0)
		return -1;
	c->token = take_string(c->seed->result, "token");
	c->ca_hash = take_string(c->seed->result, "ca_hash");
	if (!count_to_join(c, true))
		return 0;
	if (jobs_run_one(&c->run.jobs, c->seed, "certs", "share certificates", NULL) < 0)
		return -1;
	c->cert_key = take_string(c->seed->result, "key");
	return 0;
}

static json_t *join_args(const struct job *j, void *ctx)
{
	struct course *c = ctx;
	char buf[64];
	struct node_config n = node_config(c, j, buf);

	return kubeadm_args(c,
	                    config_join_docs(&c->run.cfg, &n, c->token, c->ca_hash,
	                                     j->host->master ? c->cert_key : NULL),
	                    member_masters(c));
}

/* etcd takes one new member at a time; after a failure no further one is tried. */
static void join_masters(struct course *c)
{
	for (size_t i = 0; i < c->run.jobs.n; i++) {
		struct job *j = &c->run.jobs.v[i];

		if (!j->host->master || !to_join(c, j))
			continue;
		if (jobs_run_one(&c->run.jobs, j, "join", "kubeadm join", join_args(j, c)) < 0)
			return;
		now_member(j);
		c->changed = true;
	}
}

static bool worker_to_join(const struct job *j, void *ctx)
{
	return !j->host->master && to_join(ctx, j);
}

static void join_workers(struct course *c)
{
	struct jobs *jobs = &c->run.jobs;

	jobs_run(jobs, "join", "kubeadm join", worker_to_join, join_args, c);
	for (size_t i = 0; i < jobs->n; i++)
		if (worker_to_join(&jobs->v[i], c)) { /* asked, and not failed */
			now_member(&jobs->v[i]);
			c->changed = true;
		}
}

/* Without success they end by themselves, within an hour or two: no reason to fail. */
static void forget_secrets(struct course *c)
{
	auto_free char *id = NULL;

	if (!c->token || c->seed->failed)
		return;
	id = xstrndup(c->token, 6);
	if (jobs_run_one(&c->run.jobs, c->seed, "forget", "delete the join token",
	                 json_pack("{ss}", "token_id", id)) == 0)
		return;
	log_warn("%s: %s: token and uploaded certificates stay until they expire",
	         c->seed->host->name, c->seed->err.msg);
	c->seed->failed = false;
}

static bool joined(const struct job *j, void *ctx)
{
	return is_member(ctx, j);
}

static json_t *lvscare_args(const struct job *j, void *ctx)
{
	struct course *c = ctx;
	char vip[ADDR_STR_MAX];

	(void)j;
	return json_pack("{so ss}", "masters", member_masters(c), "vip",
	                 addr_str(&c->run.cfg.vip, vip));
}

static json_t *record_args(const struct job *j, void *ctx);

/* What every member must know in the end. */
static void settle(struct course *c)
{
	struct jobs *jobs = &c->run.jobs;

	jobs_run(jobs, "lvscare", "virtual IP", joined, lvscare_args, c);
	for (size_t i = 0; i < jobs->n; i++)
		c->changed |= json_is_true(json_object_get(jobs->v[i].result, "changed"));
	jobs_run(jobs, "remember", "remember the cluster", joined, record_args, c);
	jobs_run(jobs, "kubeconfig", "kubectl's configuration", joined, NULL, c);
}

/* ---- the record of the cluster, kept on its machines ---- */

static void add_hosts(struct course *c, json_t *record, const char *key, bool masters)
{
	json_t *list = json_array(), *v;
	size_t i;

	for (i = 0; i < c->run.jobs.n; i++) {
		struct job *j = &c->run.jobs.v[i];
		char text[ADDR_STR_MAX], own[64];
		struct addr a = j->host->addr;

		if (j->host->master != masters || !j->facts || !is_member(c, j))
			continue;
		/* of this machine, named by nobody, others can use what it announces */
		if (!a.family)
			snprintf(text, sizeof(text), "%.40s:22",
			         candidate_address(cand(c, j), own));
		else
			addr_str(&a, text);
		json_array_append_new(list, json_string(text));
	}
	json_array_foreach (json_object_get(c->record, key), i, v) {
		size_t k;
		json_t *seen;
		bool twice = false;

		json_array_foreach (list, k, seen)
			twice |= json_equal(seen, v);
		if (!twice)
			json_array_append(list, v);
	}
	json_object_set_new(record, key, list);
}

static json_t *record_args(const struct job *j, void *ctx)
{
	struct course *c = ctx;
	json_t *record = json_object();
	char vip[ADDR_STR_MAX];

	(void)j;
	json_object_set_new(record, "vip", json_string(addr_str(&c->run.cfg.vip, vip)));
	json_object_set_new(record, "k8s", json_string(c->run.bundle.k8s_version));
	json_object_set_new(record, "pod_cidr", json_string(c->run.cfg.pod_cidr));
	json_object_set_new(record, "service_cidr", json_string(c->run.cfg.service_cidr));
	json_object_set_new(record, "masters", member_masters(c));
	add_hosts(c, record, "ssh_masters", true);
	add_hosts(c, record, "ssh_nodes", false);
	return json_pack("{so}", "cluster", record);
}

/* ---- waiting ---- */

/* Is the node with this address Ready in the answer to op "status"? */
static bool ready_in(const json_t *status, const char *address)
{
	size_t i;
	json_t *n;

	json_array_foreach (json_object_get(status, "nodes"), i, n)
		if (strcmp(fact_string(n, "address"), address) == 0)
			return json_is_true(json_object_get(n, "ready"));
	return false;
}

/* Names the machines that are not Ready yet; empty when all is well. */
static void what_is_missing(struct course *c, const json_t *status, struct strbuf *out)
{
	for (size_t i = 0; i < c->run.jobs.n; i++) {
		struct job *j = &c->run.jobs.v[i];
		char addr[64];

		if (!j->facts || !is_member(c, j) ||
		    ready_in(status, candidate_address(cand(c, j), addr)))
			continue;
		strbuf_addf(out, "%s%s is not Ready", out->len ? ", " : "", j->host->name);
	}
	if (strcmp(c->run.opt->cni, "none") != 0 && atoi(fact_string(status, "coredns")) < 1)
		strbuf_addf(out, "%sCoreDNS is not Available", out->len ? ", " : "");
}

static int wait_ready(struct course *c, struct err *err)
{
	long long end = now_ms() + c->run.opt->wait_ms;
	auto_strbuf missing = {0};
	auto_free char *before = xstrdup("");

	if (strcmp(c->run.opt->cni, "none") == 0) /* without a network no node becomes Ready */
		return 0;
	for (;;) {
		strbuf_reset(&missing);
		if (jobs_run_one(&c->run.jobs, c->seed, "status", "status", NULL) < 0) {
			strbuf_addf(&missing, "%s: %s", c->seed->host->name, c->seed->err.msg);
			c->seed->failed = false; /* an API server that is busy starting others */
		} else {
			what_is_missing(c, c->seed->result, &missing);
		}
		if (!missing.len)
			return 0;
		if (now_ms() > end)
			return err_set_code(err, EXIT_PARTIAL, "not ready after %u s: %s",
			                    c->run.opt->wait_ms / 1000, strbuf_str(&missing));
		if (strcmp(before, strbuf_str(&missing)) != 0)
			ui_say(&c->run.ui, "waiting: %s", strbuf_str(&missing));
		free(before);
		before = xstrdup(strbuf_str(&missing));
		poll(NULL, 0, POLL_MS);
	}
}

/* ---- the whole ---- */

static void print_nodes(const json_t *status)
{
	size_t i;
	json_t *n;

	printf("%-24s %-16s %-14s %-10s %s\n", "NAME", "ADDRESS", "ROLE", "VERSION", "STATUS");
	json_array_foreach (json_object_get(status, "nodes"), i, n)
		printf("%-24s %-16s %-14s %-10s %s\n", fact_string(n, "name"),
		       fact_string(n, "address"),
		       json_is_true(json_object_get(n, "control_plane")) ? "control-plane"
		                                                         : "worker",
		       fact_string(n, "version"),
		       json_is_true(json_object_get(n, "ready")) ? "Ready" : "NotReady");
}

void print_status(const json_t *status, bool as_json)
{
	if (!as_json) {
		print_nodes(status);
		return;
	}
	json_dumpf(status, stdout, JSON_INDENT(1));
	putchar('\n');
}

static void print_result(struct course *c)
{
	const struct run *r = &c->run;
	char vip[ADDR_STR_MAX];

	if (r->opt->json) {
		json_t *out = json_pack("{sb ss ss sO}", "changed", c->changed, "kubernetes",
		                        r->bundle.k8s_version, "vip", addr_str(&r->cfg.vip, vip),
		                        "nodes", json_object_get(c->seed->result, "nodes"));
		json_dumpf(out, stdout, JSON_INDENT(1));
		putchar('\n');
		json_decref(out);
		return;
	}
	print_nodes(c->seed->result);
	printf("\nKubernetes %s is ready; every node reaches the API servers at %s.\n",
	       r->bundle.k8s_version, addr_str(&r->cfg.vip, vip));
	printf("Use it:         on %s, as root: kubectl get nodes\n", c->seed->host->name);
	printf(
	    "Add a machine:  ./install join --node ADDRESS   (on a master, with this bundle)\n"
	    "or by hand:     ./install node prepare          (on the new machine, with this "
	    "bundle)\n"
	    "                and there the line that  kubeadm token create --print-join-command\n"
	    "                prints on a master\n");
	if (r->jobs.n == 1 && !c->record)
		printf("One machine:    kubectl taint nodes --all "
		       "node-role.kubernetes.io/control-plane-\n"
		       "                lets it run your pods too\n");
}

static const char *planned(struct course *c, const struct job *j)
{
	enum node_state s = candidate_state(cand(c, j));

	if (s == NODE_MEMBER)
		return needs_files(j, c) ? "bring files and images" : "nothing to do";
	if (j == c->seed)
		return s == NODE_HALF ? "clear the unfinished run, files, images, kubeadm init"
		                      : "files, images, kubeadm init";
	return s == NODE_HALF ? "clear the unfinished run, files, images, kubeadm join"
	                      : "files, images, kubeadm join";
}

static void print_plan(struct course *c)
{
	for (size_t i = 0; i < c->run.jobs.n; i++) {
		struct job *j = &c->run.jobs.v[i];

		printf("%s: %s: %s\n", j->host->name, j->host->master ? "master" : "worker",
		       planned(c, j));
	}
}

static int finish(struct course *c, struct err *err)
{
	size_t failed = run_report(&c->run);

	if (c->seed->failed)
		return err_set(err, "%s: %s", c->seed->host->name,
		               "the first master could not be set up");
	if (wait_ready(c, err) < 0)
		return -1;
	if (failed)
		return err_set_code(
		    err, EXIT_PARTIAL,
		    "%zu of %zu machines failed (named above); the others are ready; repeat "
		    "the command when the cause is gone",
		    failed, c->run.jobs.n);
	ui_say(&c->run.ui,
	       c->changed ? "done" : "everything was in place already, nothing changed");
	print_result(c);
	return 0;
}

int course_run(struct course *c, struct err *err)
{
	if (run_unreachable(&c->run, err) < 0 || run_check(&c->run, err) < 0)
		return -1;
	c->seed = choose_seed(c);
	if (!c->seed)
		return err_set_code(err, EXIT_USAGE,
		                    "no master among the machines: name one with --master");
	if (c->run.opt->dry_run) {
		print_plan(c);
		return 0;
	}
	bring_files(c);
	if (c->seed->failed)
		return finish(c, err);
	if (!is_member(c, c->seed) && initialise(c) < 0)
		return finish(c, err);
	if (lacks_network(c) && addons(c) < 0)
		return finish(c, err);
	if (fetch_secrets(c) < 0)
		return finish(c, err);
	join_masters(c);
	join_workers(c);
	forget_secrets(c);
	settle(c);
	return finish(c, err);
}

void course_release(struct course *c)
{
	char *secrets[] = {c->token, c->cert_key};

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		if (secrets[i])
			explicit_bzero(secrets[i], strlen(secrets[i]));
	free(c->token);
	free(c->cert_key);
	free(c->ca_hash);
	json_decref(c->record);
	run_release(&c->run);
}

int cmd_install(const struct options *o, struct err *err)
{
	struct course c = {.run.opt = o};
	const struct addr none = {0};
	int rc;

	ui_init(&c.run.ui);
	rc = options_hosts(o, &c.run.hosts, err);
	if (rc == 0 && o->nodes.n && !o->masters.n)
		rc = err_set_code(err, EXIT_USAGE,
		                  "--node without --master: which machine is the master?");
	if (rc == 0 && !c.run.hosts.n)
		hostlist_add_local(&c.run.hosts, &none, true);
	if (rc == 0)
		rc = run_open_bundle(&c.run, err);
	if (rc == 0)
		rc = run_config(&c.run, err);
	if (rc == 0)
		rc = options_ssh(o, &c.run.ssh, err);
	if (rc == 0)
		rc = run_connect(&c.run, err);
	if (rc == 0)
		rc = course_run(&c, err);
	course_release(&c);
	return rc;
}
