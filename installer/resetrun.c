// SPDX-License-Identifier: Apache-2.0
/* A reset of all machines of a run: what their clusters say, the steps, what became of each. */
#include "resetrun.h"

#include "err.h"
#include "json.h"
#include "mem.h"
#include "print.h"

#include <stdlib.h>
#include <string.h>

static json_t *cluster_args(const struct job *j, void *ctx)
{
	(void)j;
	(void)ctx;
	return json_pack("{sb}", "pods", true);
}

int reset_run_decide(struct reset_run *r, struct err *err)
{
	struct jobs *jobs = &r->session.jobs;

	jobs_run(jobs, "cluster", "ask the cluster", NULL, cluster_args, NULL);
	r->views = xcalloc(jobs->n, sizeof(*r->views));
	r->answers = xcalloc(jobs->n, sizeof(*r->answers));
	r->addresses = xcalloc(jobs->n, sizeof(*r->addresses));
	for (size_t i = 0; i < jobs->n; i++) {
		const struct job *j = &jobs->v[i];

		if (j->facts && j->failed) { /* without that nothing can be judged */
			return err_set(err, "%s: %s (nothing was changed)", j->host->name,
			               j->err.msg);
		}
		r->views[i] = (struct cluster_view){
		    .name = j->host->name, .master = j->host->master, .facts = j->facts};
		if (j->host->addr.family)
			r->views[i].address = addr_host(&j->host->addr, r->addresses[i]);
		if (!j->failed)
			r->views[i].cluster = json_incref(j->result);
	}
	reset_plan_init(&r->decided, r->views, jobs->n);
	return 0;
}

static enum step_verdict on_answer(void *ctx, const struct step *s, const json_t *result,
                                   struct err *err)
{
	struct reset_run *r = ctx;

	(void)err;
	r->answers[s->machine] = json_incref((json_t *)(uintptr_t)result);
	return result ? VERDICT_DONE : VERDICT_FAILED;
}

/* What became of a machine; what a node sends may be anything. */
static const char *outcome_of(const struct reset_run *r, size_t i)
{
	const json_t *a = r->answers[i];
	const char *why = json_text(a, "why");

	if (!a || json_array_size(json_object_get(a, "failed")))
		return "failed";
	if (json_flag(a, "changed"))
		return "removed";
	return *why ? why : "nothing of ours was there";
}

static const struct err *cause_of(const struct reset_run *r, size_t i)
{
	const struct job *j = &r->session.jobs.v[i];

	return j->facts ? runner_failure(&r->runner, i) : &j->err;
}

/* Puts what became of each machine into the session's result; returns how many failed. */
static size_t collect_result(struct reset_run *r)
{
	json_t *machines = json_object();
	size_t failed = 0;

	for (size_t i = 0; i < r->decided.n; i++) {
		const char *name = r->views[i].name, *outcome = outcome_of(r, i);
		const struct err *cause = cause_of(r, i);
		json_t *m = r->answers[i] ? json_copy(r->answers[i]) : json_object();

		json_object_set_new(m, "result", json_string(outcome));
		if (cause)
			json_object_set_new(m, "error", json_string(cause->msg));
		json_object_set_new(machines, name, m);
		failed += strcmp(outcome, "failed") == 0;
	}
	json_object_set_new(r->session.result, "machines", machines);
	json_object_set_new(r->session.result, "etcd_remains", json_string(r->decided.remain));
	return failed;
}

static bool nothing_was_done(const struct reset_run *r)
{
	for (size_t i = 0; i < r->decided.n; i++)
		if (r->answers[i])
			return false;
	return true;
}

int reset_run_execute(struct reset_run *r, struct err *err)
{
	size_t failed;

	if (plan_init(&r->plan, err) < 0)
		return -1;
	reset_plan_steps(&r->decided, &r->plan);
	r->runner = (struct runner){
	    .plan = &r->plan, .jobs = &r->session.jobs, .answered = on_answer, .ctx = r};
	session_emit_plan(&r->session, &r->plan);
	if (r->session.opt->dry_run) {
		if (!r->session.opt->json)
			plan_print(&r->plan, stdout);
		return 0;
	}
	runner_run(&r->runner);
	events_clear(&r->session.events);
	failed = collect_result(r);
	if (!r->session.opt->json)
		print_reset(r->session.result);
	if (r->runner.stopped)
		return err_set(err, "stopped; the same command goes on from here");
	if (!failed)
		return 0;
	return err_set_code(err, nothing_was_done(r) ? EXIT_FAILED : EXIT_PARTIAL,
	                    "reset: %zu of %zu machines failed (named above)", failed,
	                    r->decided.n);
}

void reset_run_release(struct reset_run *r)
{
	for (size_t i = 0; r->views && i < r->session.jobs.n; i++) {
		json_decref((json_t *)(uintptr_t)r->views[i].cluster);
		json_decref(r->answers[i]);
	}
	runner_release(&r->runner);
	plan_release(&r->plan);
	reset_plan_release(&r->decided);
	free(r->views);
	free(r->answers);
	free(r->addresses);
}
