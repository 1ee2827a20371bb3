/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "activity.h"
#include "event.h"
#include "link.h"
#include "unit.h"

#include <string.h>

static bool take(struct activities *a, char *line, enum event_kind kind, const char *machine,
                 const char *text, long long began)
{
	const struct event e = {.kind = kind,
	                        .name = "kubeadm init",
	                        .machine = machine,
	                        .text = text,
	                        .began_ms = began};

	return activities_take(a, &e, line);
}

static void machines_stand_in_the_order_of_their_start(void **state)
{
	struct activities a = {0};
	char line[ACTIVITY_LINE];
	long long now = now_ms();

	(void)state;
	assert_false(take(&a, line, EVENT_STARTED, "a", NULL, now));
	assert_false(take(&a, line, EVENT_STARTED, "b", NULL, now));
	assert_false(take(&a, line, EVENT_STARTED, "c", NULL, now));
	assert_false(take(&a, line, EVENT_DONE, "b", NULL, now)); /* too short for a line */
	assert_int_equal(a.n, 2);
	assert_string_equal(a.v[0].machine, "a");
	assert_string_equal(a.v[1].machine, "c");
	activities_release(&a);
}

static void what_took_its_time_and_what_failed_gets_a_line(void **state)
{
	struct activities a = {0};
	char line[ACTIVITY_LINE];

	(void)state;
	take(&a, line, EVENT_STARTED, "a", NULL, now_ms());
	assert_true(take(&a, line, EVENT_DONE, "a", NULL, now_ms() - 2000));
	assert_string_equal(line, "a: kubeadm init done (2.0 s)");
	take(&a, line, EVENT_STARTED, "a", NULL, now_ms());
	assert_true(take(&a, line, EVENT_FAILED, "a", "why", now_ms()));
	assert_string_equal(line, "a: kubeadm init failed (0.0 s)");
	assert_true(take(&a, line, EVENT_NOTE, NULL, "done", 0));
	assert_string_equal(line, "done");
	assert_int_equal(a.n, 0);
	activities_release(&a);
}

static void only_something_else_counts_as_a_change(void **state)
{
	struct activities a = {0};
	char line[ACTIVITY_LINE], what[100];

	(void)state;
	take(&a, line, EVENT_STARTED, "a", NULL, now_ms());
	assert_null(a.changed);
	activity_describe(&a.v[0], what, sizeof(what));
	assert_string_equal(what, "kubeadm init");
	take(&a, line, EVENT_PROGRESS, "a", "copy", 0);
	assert_ptr_equal(a.changed, &a.v[0]);
	take(&a, line, EVENT_PROGRESS, "a", "copy", 0);
	assert_null(a.changed);
	take(&a, line, EVENT_PROGRESS, "never begun", "copy", 0);
	assert_null(a.changed);
	a.v[0].now = 30000000;
	a.v[0].of = 80000000;
	activity_describe(&a.v[0], what, sizeof(what));
	assert_string_equal(what, "copy 30/80 MB");
	a.v[0].since -= 3000;
	activity_describe(&a.v[0], what, sizeof(what));
	assert_string_equal(what, "copy 30/80 MB, 10 MB/s");
	activities_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(machines_stand_in_the_order_of_their_start),
	    cmocka_unit_test(what_took_its_time_and_what_failed_gets_a_line),
	    cmocka_unit_test(only_something_else_counts_as_a_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
