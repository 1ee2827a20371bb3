// SPDX-License-Identifier: Apache-2.0
#include "runner.h"

#include "event.h"
#include "host.h"
#include "interrupt.h"
#include "jobs.h"
#include "json.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

static struct job *job_of(const struct runner *r, const struct step *s)
{
	return &r->jobs->v[s->machine];
}

static enum step_state state_of(const struct runner *r, int number)
{
	return r->steps[number - 1].state;
}

static bool ended(enum step_state s)
{
	return s == STEP_DONE || s == STEP_FAILED || s == STEP_SKIPPED;
}

static void emit(struct runner *r, size_t i, enum event_kind kind, const char *text)
{
	const struct step *s = &r->plan->v[i];

	events_emit(r->jobs->events, &(struct event){.kind = kind,
	                                             .step = (int)i + 1,
	                                             .name = s->name,
	                                             .machine = s->scope,
	                                             .text = text,
	                                             .began_ms = r->steps[i].began_ms});
}

/* The cause is in the step's err. */
static void skip(struct runner *r, size_t i)
{
	r->steps[i].state = STEP_SKIPPED;
	emit(r, i, EVENT_SKIPPED, r->steps[i].err.msg);
}

/* Whether the step can start now; skips it when it never can. */
static bool is_due(struct runner *r, size_t i)
{
	const struct step *s = &r->plan->v[i];

	if (r->steps[i].state != STEP_WAITING)
		return false;
	for (size_t k = 0; k < s->n_needs; k++) {
		const struct step *need = plan_step(r->plan, s->needs[k]);
		enum step_state state = state_of(r, s->needs[k]);

		if (state == STEP_FAILED || state == STEP_SKIPPED) {
			err_set(&r->steps[i].err, "not run: %s of %s did not succeed", need->name,
			        need->scope);
			skip(r, i);
			return false;
		}
		if (state != STEP_DONE)
			return false;
	}
	for (size_t k = 0; k < s->n_after; k++)
		if (!ended(state_of(r, s->after[k])))
			return false;
	return !job_of(r, s)->busy && now_ms() >= r->steps[i].again_ms;
}

/* Each request says which step of which run it is: machines write it into their journals. */
static json_t *request_args(struct runner *r, size_t i, struct err *err)
{
	const struct step *s = &r->plan->v[i];
	json_t *args = plan_resolve(s->args, r->values, err);

	if (args)
		json_object_set_new(args, "run",
		                    json_pack("{ss si ss}", "id", r->plan->run, "step", (int)i + 1,
		                              "name", s->name));
	return args;
}

static void end(struct runner *r, size_t i, enum step_verdict v)
{
	struct run_step *rs = &r->steps[i];

	rs->state = v == VERDICT_DONE ? STEP_DONE : STEP_FAILED;
	emit(r, i, v == VERDICT_DONE ? EVENT_DONE : EVENT_FAILED,
	     v == VERDICT_DONE ? NULL : rs->err.msg);
}

static void start(struct runner *r, size_t i)
{
	const struct step *s = &r->plan->v[i];
	struct run_step *rs = &r->steps[i];
	struct job *j = job_of(r, s);
	json_t *args = request_args(r, i, &rs->err);

	if (!rs->again_ms) {
		rs->began_ms = now_ms();
		emit(r, i, EVENT_STARTED, NULL);
	}
	if (!args) {
		end(r, i, VERDICT_FAILED);
		return;
	}
	if (r->asking)
		r->asking(r->ctx, s, args);
	rs->state = STEP_RUNNING;
	j->step = (int)i + 1;
	jobs_ask(r->jobs, j, s->op, s->name, args);
	json_decref(args);
}

static void take_answer(struct runner *r, size_t i)
{
	const struct step *s = &r->plan->v[i];
	struct run_step *rs = &r->steps[i];
	struct job *j = job_of(r, s);
	enum step_verdict v = j->failed ? VERDICT_FAILED : VERDICT_DONE;

	rs->err = j->failed ? j->err : (struct err){0};
	if (r->answered)
		v = r->answered(r->ctx, s, j->failed ? NULL : j->result, &rs->err);
	j->failed = false; /* what needs this step is skipped; others are tried */
	j->err = (struct err){0};
	if (v == VERDICT_AGAIN && !interrupt_requested()) {
		rs->state = STEP_WAITING;
		rs->again_ms = now_ms() + RUNNER_AGAIN_MS;
		return;
	}
	if (v == VERDICT_AGAIN)
		err_set(&rs->err, "%s: stopped", s->name);
	end(r, i, v);
}

/* Starts what may start; returns the number of steps that run or wait. */
static size_t start_due(struct runner *r)
{
	size_t busy = 0, open = 0;

	for (size_t i = 0; i < r->plan->n; i++)
		busy += r->steps[i].state == STEP_RUNNING;
	for (size_t i = 0; i < r->plan->n; i++) {
		if (interrupt_requested() && r->steps[i].state == STEP_WAITING &&
		    !r->plan->v[i].cleanup) {
			r->stopped = true;
			err_set(&r->steps[i].err, "not run: stopped, as asked");
			skip(r, i);
		} else if (busy < r->jobs->concurrency && is_due(r, i)) {
			start(r, i);
			busy += r->steps[i].state == STEP_RUNNING;
		}
	}
	for (size_t i = 0; i < r->plan->n; i++)
		open += !ended(r->steps[i].state);
	return open;
}

size_t runner_run(struct runner *r)
{
	size_t bad = 0;

	r->steps = xcalloc(r->plan->n + 1, sizeof(*r->steps));
	if (!r->values)
		r->values = json_object();
	while (start_due(r)) {
		jobs_poll(r->jobs);
		for (size_t i = 0; i < r->plan->n; i++)
			if (r->steps[i].state == STEP_RUNNING && !job_of(r, &r->plan->v[i])->busy)
				take_answer(r, i);
	}
	for (size_t i = 0; i < r->plan->n; i++)
		bad += r->steps[i].state != STEP_DONE;
	return bad;
}

const struct err *runner_failure(const struct runner *r, size_t machine)
{
	for (size_t i = 0; r->steps && i < r->plan->n; i++)
		if (r->plan->v[i].machine == machine && r->steps[i].state == STEP_FAILED)
			return &r->steps[i].err;
	return NULL;
}

int runner_first_failure(const struct runner *r, struct err *err)
{
	for (size_t i = 0; i < r->plan->n; i++)
		if (r->steps[i].state == STEP_FAILED) {
			const struct step *s = &r->plan->v[i];
			const char *node = json_text(s->args, "node");

			*err = r->steps[i].err;
			return err_wrap(err, "%s: %s: the same command goes on from here",
			                *node ? node : s->scope, s->name);
		}
	return err_set(err, "not all was done");
}

void runner_release(struct runner *r)
{
	json_decref(r->values);
	free(r->steps);
	*r = (struct runner){0};
}
