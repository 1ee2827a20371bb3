// SPDX-License-Identifier: Apache-2.0
/* The smaller commands: reset, status, verify, node prepare. */
#include "err.h"
#include "log.h"
#include "mem.h"
#include "node.h"
#include "oci.h"
#include "run.h"
#include "state.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

/* ---- reset ---- */

/* Are all masters of the cluster among the machines? Then no etcd remains to be left in order. */
static bool whole_cluster(const struct run *r)
{
	for (size_t i = 0; i < r->jobs.n; i++) {
		const json_t *state = json_object_get(r->jobs.v[i].facts, "state");
		const json_t *masters = json_object_get(json_object_get(state, "cluster"),
		                                        "masters");

		if (json_array_size(masters) > hostlist_masters(&r->hosts))
			return false;
	}
	return true;
}

static bool is_worker(const struct job *j, void *ctx)
{
	(void)ctx;
	return !j->host->master;
}

static json_t *reset_args(const struct job *j, void *ctx)
{
	(void)j;
	return json_pack("{sb}", "whole", whole_cluster(ctx));
}

static void reset_all(struct run *r)
{
	jobs_run(&r->jobs, "reset", "reset", is_worker, reset_args, r);
	for (size_t i = r->jobs.n; i-- > 0;) /* the first master goes last */
		if (r->jobs.v[i].host->master && !r->jobs.v[i].failed)
			jobs_run_one(&r->jobs, &r->jobs.v[i], "reset", "reset",
			             reset_args(NULL, r));
}

static void print_reset(const struct run *r)
{
	json_t *out = json_object();

	for (size_t i = 0; i < r->jobs.n; i++) {
		const struct job *j = &r->jobs.v[i];
		const char *what = j->failed ? "failed"
		                   : json_is_true(json_object_get(j->result, "changed"))
		                       ? "removed"
		                       : "nothing of ours was there";

		if (!r->opt->json)
			printf("%s: %s\n", j->host->name, what);
		json_object_set_new(out, j->host->name, json_string(what));
	}
	if (r->opt->json) {
		json_dumpf(out, stdout, JSON_INDENT(1));
		putchar('\n');
	}
	json_decref(out);
}

static int ask_reset(const struct run *r, struct err *err)
{
	auto_strbuf q = {0};

	strbuf_addstr(&q, "Remove Kubernetes and all its data from");
	for (size_t i = 0; i < r->hosts.n; i++)
		strbuf_addf(&q, "%s %s", i ? "," : "", r->hosts.v[i].name);
	strbuf_addch(&q, '?');
	return options_confirm(r->opt, strbuf_str(&q), err);
}

static int reset(struct run *r, struct err *err)
{
	size_t failed;

	if (ask_reset(r, err) < 0 || options_ssh(r->opt, &r->ssh, err) < 0 ||
	    run_connect(r, err) < 0)
		return -1;
	reset_all(r);
	failed = run_report(r);
	ui_clear(&r->ui);
	print_reset(r);
	if (!failed)
		return 0;
	return err_set_code(err, failed == r->jobs.n ? EXIT_FAILED : EXIT_PARTIAL,
	                    "reset: %zu of %zu machines failed (named above)", failed, r->jobs.n);
}

int cmd_reset(const struct options *o, struct err *err)
{
	struct run r = {.opt = o};
	const struct addr none = {0};
	int rc;

	ui_init(&r.ui);
	rc = options_hosts(o, &r.hosts, err);
	if (rc == 0 && !r.hosts.n)
		hostlist_add_local(&r.hosts, &none, true);
	if (rc == 0)
		rc = reset(&r, err);
	run_release(&r);
	return rc;
}

/* ---- status ---- */

int cmd_status(const struct options *o, struct err *err)
{
	struct run r = {.opt = o, .reads_only = true};
	const struct addr none = {0};
	int rc = 0;

	ui_init(&r.ui);
	if (o->from)
		rc = hostlist_add(&r.hosts, o->from, true, err);
	else
		hostlist_add_local(&r.hosts, &none, true);
	if (rc == 0)
		rc = hostlist_mark_local(&r.hosts, err);
	if (rc == 0)
		rc = options_ssh(o, &r.ssh, err);
	if (rc == 0)
		rc = run_connect(&r, err);
	if (rc == 0 && !r.jobs.v[0].failed)
		jobs_run_one(&r.jobs, &r.jobs.v[0], "status", "status", NULL);
	if (rc == 0 && r.jobs.v[0].failed)
		rc = err_set(err, "%s: %s", r.hosts.v[0].name, r.jobs.v[0].err.msg);
	if (rc == 0)
		print_status(r.jobs.v[0].result, o->json);
	run_release(&r);
	return rc;
}

/* ---- verify ---- */

static json_t *describe(const struct oci_descriptor *d, const struct bundle *b)
{
	const char *name = oci_annotation(d->ann, d->n_ann, OCI_ANN_IMAGE_NAME);

	if (!name)
		name = oci_annotation(d->ann, d->n_ann, OCI_ANN_TITLE);
	(void)b;
	return json_pack("{ss ss}", "name", name ? name : "?", "digest", d->digest.str);
}

static void print_bundle(const struct bundle *b, bool as_json)
{
	json_t *out = json_object(), *list = json_array();
	const size_t prefix = strlen(OCI_ANN_COMPONENT);

	json_object_set_new(out, "bundle", json_string(b->path));
	json_object_set_new(out, "index", json_string(b->index_digest.str));
	json_object_set_new(out, "kubernetes", json_string(b->k8s_version));
	json_object_set_new(out, "signed", json_false());
	json_object_set_new(out, "content", list);
	for (size_t i = 0; i < b->index.n; i++)
		json_array_append_new(list, describe(&b->index.manifests[i], b));
	if (as_json) {
		json_dumpf(out, stdout, JSON_INDENT(1));
		putchar('\n');
	} else {
		printf("%s: every byte matches its digest; not signed\nindex %s\n", b->path,
		       b->index_digest.str);
		for (size_t i = 0; i < b->node->n_ann; i++)
			if (strncmp(b->node->ann[i].key, OCI_ANN_COMPONENT, prefix) == 0)
				printf("%-20s %s\n", b->node->ann[i].key + prefix,
				       b->node->ann[i].value);
		for (size_t i = 0; i < json_array_size(list); i++)
			printf(
			    "%s  %s\n",
			    json_string_value(json_object_get(json_array_get(list, i), "digest")),
			    json_string_value(json_object_get(json_array_get(list, i), "name")));
	}
	json_decref(out);
}

int cmd_verify(const struct options *o, struct err *err)
{
	auto_free char *path = options_bundle(o, err);
	struct bundle b;

	if (!path || bundle_open(path, oci_host_arch(), &b, err) < 0)
		return -1;
	print_bundle(&b, o->json);
	bundle_release(&b);
	return 0;
}

/* ---- node prepare ---- */

static int prepare(struct run *r, struct err *err)
{
	struct job *j;

	if (run_open_bundle(r, err) < 0 || run_config(r, err) < 0 || run_connect(r, err) < 0 ||
	    run_unreachable(r, err) < 0 || run_check(r, err) < 0)
		return -1;
	j = &r->jobs.v[0];
	if (jobs_run_one(&r->jobs, j, "prepare", "files and images",
	                 json_pack("{sb}", "control_plane", r->opt->control_plane)) < 0)
		return err_set_code(err, err_exit(&j->err), "%s", j->err.msg);
	if (r->opt->json)
		printf("{\"changed\":%s}\n",
		       json_is_true(json_object_get(j->result, "changed")) ? "true" : "false");
	else if (candidate_state(&r->cand[0]) == NODE_MEMBER)
		printf(
		    "This machine is in a cluster and has the files of %s now. To upgrade it run\n"
		    "    kubeadm upgrade apply %s\n"
		    "if it is the first master, else, after that one,\n"
		    "    kubeadm upgrade node\n"
		    "and then: systemctl restart kubelet\n",
		    r->bundle.k8s_version, r->bundle.k8s_version);
	else
		printf("This machine is ready to join. On a master run\n"
		       "    kubeadm token create --print-join-command\n"
		       "and run here, as root, the line that it prints.\n");
	return 0;
}

int cmd_node_prepare(const struct options *o, struct err *err)
{
	struct run r = {.opt = o, .alone = true};
	const struct addr none = {0};
	int rc;

	ui_init(&r.ui);
	/* the checks of a control plane would ask for ports that a worker does not need */
	hostlist_add_local(&r.hosts, &none, o->control_plane);
	rc = prepare(&r, err);
	run_release(&r);
	return rc;
}
