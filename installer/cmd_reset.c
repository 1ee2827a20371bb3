// SPDX-License-Identifier: Apache-2.0
/* reset: removes Kubernetes and everything of ours from machines. */
#include "err.h"
#include "mem.h"
#include "session.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

/* Are all masters of the cluster among the machines? Then no etcd remains to be left in order. */
static bool whole_cluster(const struct session *r)
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

static void reset_all(struct session *r)
{
	jobs_run(&r->jobs, "reset", "reset", is_worker, reset_args, r);
	for (size_t i = r->jobs.n; i-- > 0;) /* the first master goes last */
		if (r->jobs.v[i].host->master && !r->jobs.v[i].failed)
			jobs_run_one(&r->jobs, &r->jobs.v[i], "reset", "reset",
			             reset_args(NULL, r));
}

static void print_reset(struct session *r)
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
	json_object_set_new(r->result, "machines", out);
}

static int ask_reset(const struct session *r, struct err *err)
{
	auto_strbuf q = {0};

	strbuf_addstr(&q, "Remove Kubernetes and all its data from");
	for (size_t i = 0; i < r->hosts.n; i++)
		strbuf_addf(&q, "%s %s", i ? "," : "", r->hosts.v[i].name);
	strbuf_addch(&q, '?');
	return options_confirm(r->opt, strbuf_str(&q), err);
}

static int reset(struct session *r, struct err *err)
{
	size_t failed;

	if (ask_reset(r, err) < 0 || session_connect(r, err) < 0)
		return -1;
	reset_all(r);
	failed = session_report(r);
	events_clear(&r->events);
	print_reset(r);
	if (!failed)
		return 0;
	return err_set_code(err, failed == r->jobs.n ? EXIT_FAILED : EXIT_PARTIAL,
	                    "reset: %zu of %zu machines failed (named above)", failed, r->jobs.n);
}

int cmd_reset(const struct options *o, struct err *err)
{
	struct session r = {.opt = o};
	const struct addr none = {0};
	int rc;

	session_begin(&r);
	rc = options_hosts(o, &r.hosts, err);
	if (rc == 0 && !r.hosts.n)
		hostlist_add_local(&r.hosts, &none, true);
	if (rc == 0)
		rc = reset(&r, err);
	return session_end(&r, "reset", rc, err);
}
