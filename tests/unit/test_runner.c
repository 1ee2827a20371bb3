/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* The runner over real processes, one a machine, that answer by the operation's name. */
#include "event.h"
#include "host.h"
#include "jobs.h"
#include "link.h"
#include "mem.h"
#include "proto.h"
#include "runner.h"
#include "strbuf.h"
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MACHINES 2

/* "ok" succeeds, "fail" fails, "give" answers {"v":N} with the number that it was sent. */
static void answer(struct link *l, const struct msg *m)
{
	auto_strbuf sb = {0};
	struct err err = {0};
	json_t *result = json_object();

	if (strcmp(m->text, "fail") == 0) {
		err_set_code(&err, EXIT_PARTIAL, "as asked");
		msg_error(&sb, &err);
	} else {
		json_object_set(result, "run", json_object_get(m->body, "run"));
		json_object_set(result, "v", json_object_get(m->body, "v"));
		msg_progress(&sb, "at work", 1, 2);
		msg_ok(&sb, result);
	}
	json_decref(result);
	link_send(l, &sb, &err);
}

/* others: the links of the machines before it, which it must not keep open. */
static pid_t machine(const int sv[2], const struct job *others, int n)
{
	struct link l;
	struct msg m;
	struct err err = {0};
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (int i = 0; i < n; i++)
		close(link_fd(&others[i].link));
	close(sv[0]);
	link_init_fd(&l, sv[1], -1);
	while (link_receive(&l, 20000, &m, &err) == 0) {
		answer(&l, &m);
		msg_release(&m);
	}
	_exit(0);
}

/* What sinks were shown, a line each: "started 1 10.0.0.1". */
struct recorded {
	struct sink sink;
	struct strbuf text;
};

static void on_event(struct sink *s, const struct event *e)
{
	static const char *const words[] = {[EVENT_STARTED] = "started",
	                                    [EVENT_PROGRESS] = "at",
	                                    [EVENT_DONE] = "done",
	                                    [EVENT_FAILED] = "failed",
	                                    [EVENT_SKIPPED] = "skipped"};

	if (e->kind != EVENT_PROGRESS && e->kind < ARRAY_SIZE(words) && words[e->kind])
		strbuf_addf(&((struct recorded *)s)->text, "%s %d %s\n", words[e->kind], e->step,
		            e->machine);
}

struct world {
	struct host hosts[MACHINES];
	struct jobs jobs;
	struct events events;
	struct recorded recorded;
	struct plan plan;
	struct runner r;
	json_t *results[16];
	int asked[16];
};

static enum step_verdict on_answer(void *ctx, const struct step *s, const json_t *result,
                                   struct err *err)
{
	struct world *w = ctx;
	size_t i = (size_t)(s - w->plan.v);

	w->asked[i]++;
	json_decref(w->results[i]);
	w->results[i] = result ? json_deep_copy(result) : NULL;
	if (strcmp(s->op, "give") == 0)
		json_object_set(w->r.values, "given", json_object_get(result, "v"));
	if (strcmp(s->op, "thrice") == 0)
		return w->asked[i] < 3 ? VERDICT_AGAIN : VERDICT_DONE;
	(void)err;
	return result ? VERDICT_DONE : VERDICT_FAILED;
}

static int begin(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct err err = {0};

	w->recorded.sink = (struct sink){.event = on_event};
	w->events = (struct events){.sinks = {&w->recorded.sink}, .n = 1};
	w->jobs = (struct jobs){.v = xcalloc(MACHINES, sizeof(struct job)),
	                        .n = MACHINES,
	                        .concurrency = 8,
	                        .events = &w->events};
	for (int i = 0; i < MACHINES; i++) {
		int sv[2];
		pid_t pid;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
		snprintf(w->hosts[i].name, sizeof(w->hosts[i].name), "10.0.0.%d", i + 1);
		w->jobs.v[i].host = &w->hosts[i];
		pid = machine(sv, w->jobs.v, i);
		link_init_fd(&w->jobs.v[i].link, sv[0], pid);
		close(sv[1]);
	}
	assert_int_equal(plan_init(&w->plan, &err), 0);
	w->r = (struct runner){.plan = &w->plan, .jobs = &w->jobs, .answered = on_answer, .ctx = w};
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(w->results); i++)
		json_decref(w->results[i]);
	runner_release(&w->r);
	plan_release(&w->plan);
	jobs_release(&w->jobs);
	strbuf_release(&w->recorded.text);
	free(w);
	return 0;
}

static int add(struct world *w, const char *op, size_t machine_no, json_t *args)
{
	return plan_add(&w->plan, op, op, machine_no, w->hosts[machine_no].name, args, NULL);
}

/* Place of a line in what was shown; -1: not shown. */
static long place(const struct world *w, const char *line)
{
	const char *p = strstr(strbuf_str(&w->recorded.text), line);

	return p ? p - w->recorded.text.buf : -1;
}

static void steps_run_in_the_order_of_their_needs(void **state)
{
	struct world *w = *state;
	int last = add(w, "ok", 0, NULL), first = add(w, "ok", 1, NULL);

	plan_needs(&w->plan, last, first);
	assert_int_equal(runner_run(&w->r), 0);
	assert_true(place(w, "done 2 10.0.0.2\n") >= 0);
	assert_true(place(w, "done 2 10.0.0.2\n") < place(w, "started 1 10.0.0.1\n"));
	assert_true(place(w, "started 1 10.0.0.1\n") < place(w, "done 1 10.0.0.1\n"));
}

static void what_needs_a_failed_step_is_skipped_and_the_rest_runs(void **state)
{
	struct world *w = *state;
	int bad = add(w, "fail", 0, NULL), other = add(w, "ok", 1, NULL);
	int needs = add(w, "ok", 1, NULL), after = add(w, "ok", 0, NULL),
	    far = add(w, "ok", 1, NULL);

	plan_needs(&w->plan, needs, bad);
	plan_after(&w->plan, after, bad);
	plan_needs(&w->plan, far, needs);
	(void)other;
	assert_int_equal(runner_run(&w->r), 3);
	assert_int_equal(w->r.steps[0].state, STEP_FAILED);
	assert_int_equal(w->r.steps[1].state, STEP_DONE);
	assert_int_equal(w->r.steps[2].state, STEP_SKIPPED);
	assert_int_equal(w->r.steps[3].state, STEP_DONE);
	assert_int_equal(w->r.steps[4].state, STEP_SKIPPED);
	assert_string_equal(w->r.steps[2].err.msg, "not run: fail of 10.0.0.1 did not succeed");
	assert_string_equal(runner_failure(&w->r, 0)->msg, "fail: as asked");
	assert_int_equal(runner_failure(&w->r, 0)->code, EXIT_PARTIAL);
	assert_null(runner_failure(&w->r, 1));
	assert_int_equal(w->asked[2], 0);
	assert_true(place(w, "skipped 5 10.0.0.2\n") >= 0);
}

static void values_of_steps_reach_later_ones(void **state)
{
	struct world *w = *state;
	int give = add(w, "give", 0, json_pack("{si}", "v", 42));
	int take = add(w, "ok", 1, json_pack("{ss}", "v", "$(given)"));
	const json_t *run;

	plan_needs(&w->plan, take, give);
	assert_int_equal(runner_run(&w->r), 0);
	assert_int_equal(json_integer_value(json_object_get(w->results[1], "v")), 42);
	run = json_object_get(w->results[1], "run");
	assert_string_equal(json_string_value(json_object_get(run, "id")), w->plan.run);
	assert_int_equal(json_integer_value(json_object_get(run, "step")), 2);
}

static void a_missing_value_fails_the_step(void **state)
{
	struct world *w = *state;

	add(w, "ok", 1, json_pack("{ss}", "v", "$(given)"));
	assert_int_equal(runner_run(&w->r), 1);
	assert_int_equal(w->asked[0], 0);
	assert_true(place(w, "failed 1 10.0.0.2\n") > place(w, "started 1 10.0.0.2\n"));
}

static void a_step_may_be_asked_again(void **state)
{
	struct world *w = *state;

	add(w, "thrice", 0, NULL);
	assert_int_equal(runner_run(&w->r), 0);
	assert_int_equal(w->asked[0], 3);
	assert_string_equal(strbuf_str(&w->recorded.text), "started 1 10.0.0.1\ndone 1 10.0.0.1\n");
}

static void one_at_a_time_when_asked_so(void **state)
{
	struct world *w = *state;

	add(w, "ok", 0, NULL);
	add(w, "ok", 1, NULL);
	w->jobs.concurrency = 1;
	assert_int_equal(runner_run(&w->r), 0);
	assert_string_equal(strbuf_str(&w->recorded.text), "started 1 10.0.0.1\ndone 1 10.0.0.1\n"
	                                                   "started 2 10.0.0.2\ndone 2 10.0.0.2\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(steps_run_in_the_order_of_their_needs, begin, end),
	    cmocka_unit_test_setup_teardown(what_needs_a_failed_step_is_skipped_and_the_rest_runs,
	                                    begin, end),
	    cmocka_unit_test_setup_teardown(values_of_steps_reach_later_ones, begin, end),
	    cmocka_unit_test_setup_teardown(a_missing_value_fails_the_step, begin, end),
	    cmocka_unit_test_setup_teardown(a_step_may_be_asked_again, begin, end),
	    cmocka_unit_test_setup_teardown(one_at_a_time_when_asked_so, begin, end),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
