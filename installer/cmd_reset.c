// SPDX-License-Identifier: Apache-2.0
/*
 * reset: removes Kubernetes and everything of ours from machines. What remains of a cluster is
 * decided by its own word (resetplan.c); masters leave it one by one.
 */
#include "err.h"
#include "mem.h"
#include "plan.h"
#include "resetplan.h"
#include "runner.h"
#include "session.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reset {
	struct session session;
	struct cluster_view *views; /* one for each machine */
	char (*addresses)[ADDR_STR_MAX];
	struct reset_plan decided;
	struct plan plan;
	struct runner runner;
	json_t **answers; /* of op "reset", one for each machine; NULL: none */
};

/* ---- what is there ---- */

static json_t *cluster_args(const struct job *j, void *ctx)
{
	(void)j;
	(void)ctx;
	return json_pack("{sb}", "pods", true);
}

static int look(struct reset *r, struct err *err)
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
		r->views[i] = (struct cluster_view){.name = j->host->name, .facts = j->facts};
		if (j->host->addr.family)
			r->views[i].address = addr_host(&j->host->addr, r->addresses[i]);
		if (!j->failed)
			r->views[i].cluster = json_incref(j->result);
	}
	reset_plan_init(&r->decided, r->views, jobs->n);
	return 0;
}

/* ---- the question ---- */

static int ask(const struct reset *r, struct err *err)
{
	const struct options *o = r->session.opt;
	struct options asking = *o;
	auto_strbuf q = {0};
	bool any = false;

	for (size_t i = 0; i < r->decided.n; i++)
		any |= r->views[i].facts && reset_plan_concerns(&r->decided.v[i]);
	if (!any) /* each will say that it did nothing */
		return 0;
	if (*r->decided.loss && o->yes && !o->accept_loss)
		return err_set(err, "%s: nothing was changed; add --accept-data-loss to go on",
		               r->decided.loss);
	asking.yes = o->yes || o->accept_loss;
	reset_plan_question(&r->decided, &q);
	return options_confirm(&asking, strbuf_str(&q), err);
}

/* Before anything is connected: nobody could answer later. */
static int somebody_answers(const struct options *o, struct err *err)
{
	if (o->yes || o->accept_loss || o->dry_run || isatty(STDIN_FILENO))
		return 0;
	return options_confirm(o, "", err);
}

/* ---- the plan ---- */

static int add_step(struct reset *r, size_t i, int after)
{
	const struct job *j = &r->session.jobs.v[i];
	int step;

	if (!j->facts)
		return 0;
	/* the last argument: the user knows what is lost, and goes on */
	step = plan_add(&r->plan, "reset", "reset", i, j->host->name,
	                reset_plan_args(&r->decided, i, *r->decided.loss), NULL);
	plan_after(&r->plan, step, after);
	return step;
}

/* Workers at once, then the machines with an etcd member, one after the other. */
static int make_plan(struct reset *r, struct err *err)
{
	int last = 0;

	if (plan_init(&r->plan, err) < 0)
		return -1;
	for (size_t i = 0; i < r->decided.n; i++)
		if (!r->decided.v[i].id && !r->session.jobs.v[i].host->master)
			add_step(r, i, 0);
	for (size_t k = 0; k < r->decided.n; k++) {
		size_t i = r->decided.order[k];
		int step;

		if (!r->decided.v[i].id && !r->session.jobs.v[i].host->master)
			continue;
		step = add_step(r, i, last);
		for (int w = 1; step && w < step && !last; w++)
			plan_after(&r->plan, step, w);
		last = step ? step : last;
	}
	return 0;
}

static enum step_verdict on_answer(void *ctx, const struct step *s, const json_t *result,
                                   struct err *err)
{
	struct reset *r = ctx;

	(void)err;
	r->answers[s->machine] = json_incref((json_t *)(uintptr_t)result);
	return result ? VERDICT_DONE : VERDICT_FAILED;
}

/* ---- the result ---- */

static void print_list(const char *machine, const char *word, const json_t *list)
{
	size_t i;
	json_t *e;

	json_array_foreach (list, i, e)
		printf("%s: %s: %s (%s)\n", machine, word,
		       json_string_value(json_object_get(e, "what")),
		       json_string_value(json_object_get(e, "why")));
}

/* Text of the machine's fate; what a node sends may be anything. */
static const char *fate_of(const struct reset *r, size_t i)
{
	const json_t *a = r->answers[i];
	const char *why = json_string_value(json_object_get(a, "why"));

	if (!a || json_array_size(json_object_get(a, "failed")))
		return "failed";
	if (json_is_true(json_object_get(a, "changed")))
		return "removed";
	return why ? why : "nothing of ours was there";
}

static const struct err *cause_of(const struct reset *r, size_t i)
{
	const struct job *j = &r->session.jobs.v[i];

	return j->facts ? runner_failure(&r->runner, i) : &j->err;
}

/* Returns the number of machines that failed. */
static size_t print_result(struct reset *r)
{
	json_t *machines = json_object();
	size_t failed = 0;

	for (size_t i = 0; i < r->decided.n; i++) {
		const char *name = r->views[i].name, *fate = fate_of(r, i);
		const struct err *cause = cause_of(r, i);
		json_t *m = r->answers[i] ? json_copy(r->answers[i]) : json_object();

		json_object_set_new(m, "result", json_string(fate));
		if (cause)
			json_object_set_new(m, "error", json_string(cause->msg));
		json_object_set_new(machines, name, m);
		failed += strcmp(fate, "failed") == 0;
		if (r->session.opt->json)
			continue;
		printf("%s: %s%s%s\n", name, fate, cause ? ": " : "", cause ? cause->msg : "");
		print_list(name, "stayed", json_object_get(m, "stayed"));
		print_list(name, "stayed, could not be removed", json_object_get(m, "failed"));
	}
	json_object_set_new(r->session.result, "machines", machines);
	json_object_set_new(r->session.result, "etcd_remains", json_string(r->decided.remain));
	if (*r->decided.remain && !r->session.opt->json)
		printf("members of etcd that remain: %s\n", r->decided.remain);
	return failed;
}

static bool nothing_was_done(const struct reset *r)
{
	for (size_t i = 0; i < r->decided.n; i++)
		if (r->answers[i])
			return false;
	return true;
}

static int execute(struct reset *r, struct err *err)
{
	size_t failed;
	json_t *shown;

	r->runner = (struct runner){
	    .plan = &r->plan, .jobs = &r->session.jobs, .answered = on_answer, .ctx = r};
	shown = plan_json(&r->plan);
	events_emit(&r->session.events, &(struct event){.kind = EVENT_PLAN, .data = shown});
	json_decref(shown);
	if (r->session.opt->dry_run) {
		if (!r->session.opt->json)
			plan_print(&r->plan, stdout);
		return 0;
	}
	runner_run(&r->runner);
	events_clear(&r->session.events);
	failed = print_result(r);
	if (r->runner.stopped)
		return err_set(err, "stopped; the same command goes on from here");
	if (!failed)
		return 0;
	return err_set_code(err, nothing_was_done(r) ? EXIT_FAILED : EXIT_PARTIAL,
	                    "reset: %zu of %zu machines failed (named above)", failed,
	                    r->decided.n);
}

static int reset(struct reset *r, struct err *err)
{
	struct session *s = &r->session;

	if (somebody_answers(s->opt, err) < 0 || session_connect(s, err) < 0)
		return -1;
	if (session_report(s) == s->jobs.n)
		return err_set(err, "reset: no machine can be reached, nothing was changed");
	if (look(r, err) < 0 || (!s->opt->dry_run && ask(r, err) < 0) || make_plan(r, err) < 0)
		return -1;
	return execute(r, err);
}

static void release(struct reset *r)
{
	for (size_t i = 0; r->views && i < r->decided.n; i++) {
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

int cmd_reset(const struct options *o, struct err *err)
{
	struct reset r = {.session.opt = o};
	const struct addr none = {0};
	int rc;

	session_begin(&r.session);
	rc = options_hosts(o, &r.session.hosts, err);
	if (rc == 0 && !r.session.hosts.n)
		hostlist_add_local(&r.session.hosts, &none, true);
	if (rc == 0)
		rc = reset(&r, err);
	release(&r);
	return session_end(&r.session, "reset", rc, err);
}
