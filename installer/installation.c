// SPDX-License-Identifier: Apache-2.0
/* install and join: check, plan, run the plan, wait until all is ready, say what came out. */
#include "installation.h"

#include "err.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "print.h"
#include "strbuf.h"
#include "wellcheck.h"

#include <stdlib.h>
#include <string.h>

/* ---- waiting ---- */

/* Judges an answer to "status" by the machines that are members by now; NULL: err says why not. */
static enum ready_state update_ready(struct installation *in, const json_t *status,
                                     const struct err *err)
{
	const struct jobs *jobs = &in->session.jobs;
	auto_free const char **addresses = xcalloc(jobs->n + 1, sizeof(*addresses));
	auto_free const char **names = xcalloc(jobs->n + 1, sizeof(*names));
	auto_free char(*own)[64] = xcalloc(jobs->n + 1, sizeof(*own));
	size_t n = 0;

	if (!status)
		return ready_unreachable(&in->ready, err->msg, now_ms());
	for (size_t i = 0; i < jobs->n; i++) {
		const struct job *j = &jobs->v[i];

		if (!is_member(in, j))
			continue;
		addresses[n] = candidate_address(session_candidate(&in->session, j), own[n]);
		names[n++] = j->host->name;
	}
	return ready_update(&in->ready, status, addresses, names, n, now_ms());
}

static enum step_verdict judge_ready(struct installation *in, const json_t *status, struct err *err)
{
	enum ready_state state = update_ready(in, status, err);
	const char *text = ready_text(&in->ready);

	if (state == READY_DONE)
		return VERDICT_DONE;
	if (state == READY_HOPELESS) {
		err_set_code(err, EXIT_PARTIAL, "%s", text);
		return VERDICT_FAILED;
	}
	if (*text && (!in->missing || strcmp(in->missing, text) != 0))
		events_note(&in->session.events, "waiting: %s", text);
	free(in->missing);
	in->missing = xstrdup(text);
	return VERDICT_AGAIN;
}

static void on_asking(void *ctx, const struct step *s, json_t *args)
{
	struct installation *in = ctx;
	json_t *more;

	if (strcmp(s->op, "status") != 0)
		return;
	more = ready_args(&in->ready, now_ms());
	json_object_update(args, more);
	json_decref(more);
}

/* ---- answers ---- */

static void take_value(struct installation *in, const json_t *result, const char *key,
                       const char *as)
{
	json_t *v = json_object_get(result, key);

	json_object_set_new(in->runner.values, as, v ? json_incref(v) : json_string(""));
}

/* kubeadm's tokens are ID.SECRET, with 6 characters before the dot. */
static void take_token(struct installation *in, const json_t *result)
{
	const char *token = json_text(result, "token");

	take_value(in, result, "token", "token");
	take_value(in, result, "ca_hash", "ca_hash");
	json_object_set_new(in->runner.values, "token_id", json_stringn(token, strnlen(token, 6)));
}

static enum step_verdict failed_step(struct installation *in, const struct step *s, struct err *err)
{
	/* without success they end by themselves, within an hour or two: no reason to fail */
	if (strcmp(s->op, "forget") == 0) {
		events_clear(&in->session.events);
		log_warn("%s: %s: token and uploaded certificates stay until they expire", s->scope,
		         err->msg);
		return VERDICT_DONE;
	}
	return VERDICT_FAILED;
}

static enum step_verdict on_answer(void *ctx, const struct step *s, const json_t *result,
                                   struct err *err)
{
	struct installation *in = ctx;

	if (strcmp(s->op, "status") == 0) {
		json_object_set_new(in->session.result, "nodes",
		                    json_incref(json_object_get(result, "nodes")));
		return judge_ready(in, result, err);
	}
	if (strcmp(s->op, "cluster") == 0 || strcmp(s->op, "configuration") == 0)
		return upgrade_judge(in, s, result, err);
	if (!result)
		return failed_step(in, s, err);
	if (strcmp(s->op, "token") == 0)
		take_token(in, result);
	else if (strcmp(s->op, "certs") == 0)
		take_value(in, result, "key", "certificate_key");
	if (strcmp(s->op, "init") == 0 || strcmp(s->op, "join") == 0) {
		in->changed = true;
		now_member(&in->session.jobs.v[s->machine]);
		update_values(in);
	}
	in->changed |= json_is_true(json_object_get(result, "changed"));
	return VERDICT_DONE;
}

/* ---- the whole ---- */

/* Machines whose steps failed, each with the first cause; returns their number. */
static size_t report_failures(struct installation *in)
{
	struct jobs *jobs = &in->session.jobs;

	for (size_t i = 0; i < jobs->n; i++) {
		const struct err *cause = runner_failure(&in->runner, i);

		/* the last step, which waits, fails for the cluster and not for this machine */
		if (!cause || err_exit(cause) == EXIT_PARTIAL)
			continue;
		jobs->v[i].failed = true;
		jobs->v[i].err = *cause;
	}
	return session_report(&in->session);
}

static int judge_run(struct installation *in, struct err *err)
{
	const struct run_step *last = &in->runner.steps[in->plan.n - 1];
	size_t failed = report_failures(in);

	if (in->runner.stopped)
		return err_set(err, "stopped; the same command goes on from here");
	if (in->seed->failed &&
	    !is_member(in,
	               in->seed)) /* a bad bundle is found before anything that runs is touched */
		return err_set_code(
		    err,
		    err_exit(&in->seed->err) == EXIT_BAD_BUNDLE ? EXIT_BAD_BUNDLE : EXIT_FAILED,
		    "%s: the first master could not be set up", in->seed->host->name);
	if (last->state == STEP_FAILED) {
		*err = last->err;
		return -1;
	}
	if (failed)
		return err_set_code(
		    err, EXIT_PARTIAL,
		    "%zu of %zu machines failed (named above)%s; repeat the command when the "
		    "cause is gone",
		    failed, in->session.jobs.n,
		    last->state == STEP_DONE ? "; the others are ready" : "");
	return 0;
}

static void show_plan(struct installation *in)
{
	session_emit_plan(&in->session, &in->plan);
	if (in->session.opt->dry_run && !in->session.opt->json)
		cluster_plan_print(in);
}

int installation_run(struct installation *in, struct err *err)
{
	struct session *s = &in->session;

	if (session_unreachable(s, err) < 0 || session_check_clusters(s, err) < 0 ||
	    session_check(s, err) < 0)
		return -1;
	in->seed = choose_seed(in);
	if (!in->seed)
		return err_set_code(err, EXIT_USAGE,
		                    "no master among the machines: name one with --master");
	if (check_same_config(in, err) < 0 || cluster_plan(in, err) < 0)
		return -1;
	return installation_execute(in, err);
}

int installation_execute(struct installation *in, struct err *err)
{
	struct session *s = &in->session;

	show_plan(in);
	if (s->opt->dry_run)
		return 0;
	ready_init(&in->ready, s->opt->wait_ms, strcmp(s->opt->cni, "none") == 0);
	in->runner = (struct runner){.plan = &in->plan,
	                             .jobs = &s->jobs,
	                             .answered = on_answer,
	                             .asking = on_asking,
	                             .ctx = in};
	update_values(in);
	runner_run(&in->runner);
	if (judge_run(in, err) < 0)
		return -1;
	events_note(&s->events,
	            in->changed ? "done" : "everything was in place already, nothing changed");
	if (!s->opt->json)
		print_installed(in);
	return 0;
}

int installation_run_plan(struct installation *in,
                          enum step_verdict (*answered)(void *ctx, const struct step *s,
                                                        const json_t *result, struct err *err),
                          struct err *err)
{
	struct session *s = &in->session;

	session_emit_plan(s, &in->plan);
	if (s->opt->dry_run) {
		if (!s->opt->json)
			plan_print(&in->plan, stdout);
		return 0;
	}
	in->runner = (struct runner){
	    .plan = &in->plan, .jobs = &s->jobs, .answered = answered, .ctx = in};
	if (runner_run(&in->runner) == 0)
		return 0;
	if (in->runner.stopped)
		return err_set(err, "stopped; the same command goes on from here");
	return runner_first_failure(&in->runner, err);
}

enum step_verdict installation_await(struct installation *in, const struct step *s,
                                     const struct well_want *want, const json_t *cluster,
                                     long long well_ms, struct err *err)
{
	struct well_times t = {.began = in->runner.steps[s - in->plan.v].began_ms,
	                       .since = in->well[s->machine],
	                       .wait_ms = in->session.opt->wait_ms,
	                       .well_ms = well_ms};
	enum step_verdict v = well_judge(well_missing(want, cluster), &t, now_ms(), err);

	in->well[s->machine] = t.since;
	return v;
}

static void wipe(json_t *values, const char *key)
{
	const char *s = json_string_value(json_object_get(values, key));

	if (s)
		explicit_bzero((char *)(uintptr_t)s, strlen(s));
}

int installation_end(struct installation *in, const char *command, int rc, const struct err *err)
{
	char vip[ADDR_STR_MAX];

	if (in->session.cfg.vip.family)
		json_object_set_new(in->session.result, "vip",
		                    json_string(addr_str(&in->session.cfg.vip, vip)));
	json_object_set_new(in->session.result, "changed", json_boolean(in->changed));
	wipe(in->runner.values, "token");
	wipe(in->runner.values, "certificate_key");
	runner_release(&in->runner);
	plan_release(&in->plan);
	json_decref(in->record);
	json_decref(in->cluster);
	ready_release(&in->ready);
	free(in->missing);
	free(in->well);
	return session_end(&in->session, command, rc, err);
}
