/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "plan.h"
#include "plancheck.h"
#include "strbuf.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two machines: files on both, then the first is initialised, then the second joins. */
static void make_plan(struct plan *p)
{
	struct err err = {0};
	int a, b, init, join;

	assert_int_equal(plan_init(p, &err), 0);
	a = plan_add(p, "stage", "stage files", 0, "10.0.0.1", NULL, "unstage");
	b = plan_add(p, "stage", "stage files", 1, "10.0.0.2", NULL, "unstage");
	init = plan_add(p, "init", "kubeadm init", 0, "10.0.0.1", NULL, "reset");
	plan_needs(p, init, a);
	join = plan_add(p, "join", "kubeadm join", 1, "10.0.0.2",
	                json_pack("{s{ss ss} ss}", "docs", "token", "$(token)", "certificateKey",
	                          "hush", "masters", "$(masters)"),
	                "reset");
	plan_needs(p, join, init);
	plan_needs(p, join, 0);
	plan_after(p, join, b);
}

static void a_plan_is_printed_as_it_is(void **state)
{
	struct plan p;
	json_t *j;
	const json_t *join;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	make_plan(&p);
	j = plan_json(&p);
	assert_int_equal(json_array_size(json_object_get(j, "steps")), 4);
	join = json_array_get(json_object_get(j, "steps"), 3);
	assert_string_equal(json_string_value(json_object_get(join, "scope")), "10.0.0.2");
	assert_int_equal(json_integer_value(json_array_get(json_object_get(join, "needs"), 0)), 3);
	assert_int_equal(json_array_size(json_object_get(join, "needs")), 1);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(join, "after"), 0)), 2);
	assert_string_equal(json_string_value(json_object_get(join, "undo")), "reset");
	plan_print(&p, f);
	fclose(f);
	assert_non_null(
	    strstr(text, "   4  10.0.0.2  kubeadm join             3,2          reset"));
	free(text);
	json_decref(j);
	plan_release(&p);
}

static void no_secret_is_printed(void **state)
{
	struct plan p;
	json_t *j;
	char *text;

	(void)state;
	make_plan(&p);
	j = plan_json(&p);
	text = json_dumps(j, 0);
	assert_null(strstr(text, "hush"));
	assert_non_null(strstr(text, "\"certificateKey\": \"(secret)\""));
	assert_non_null(strstr(text, "\"token\": \"$(token)\"")); /* whose value it is */
	assert_string_equal(json_string_value(json_object_get(json_object_get(p.v[3].args, "docs"),
	                                                      "certificateKey")),
	                    "hush"); /* the plan itself keeps it */
	free(text);
	json_decref(j);
	plan_release(&p);
}

static void values_take_the_place_of_their_names(void **state)
{
	json_t *args = json_pack("{ss s[ss] s{ss}}", "a", "$(one)", "b", "$(two)", "plain", "c",
	                         "d", "$(not closed");
	json_t *values = json_pack("{ss s[ii]}", "one", "first", "two", 1, 2);
	json_t *done, *want = json_pack("{ss s[[ii]s] s{ss}}", "a", "first", "b", 1, 2, "plain",
	                                "c", "d", "$(not closed");
	struct err err = {0};

	(void)state;
	done = plan_resolve(args, values, &err);
	assert_true(json_equal(done, want));
	json_decref(done);
	json_object_del(values, "two");
	assert_null(plan_resolve(args, values, &err));
	assert_string_equal(err.msg, "no step has given a value \"two\"");
	json_decref(args);
	json_decref(values);
	json_decref(want);
}

static void runs_have_different_names(void **state)
{
	struct plan a, b;
	struct err err = {0};

	(void)state;
	assert_int_equal(plan_init(&a, &err), 0);
	assert_int_equal(plan_init(&b, &err), 0);
	assert_int_equal(strlen(a.run), PLAN_RUN_MAX - 1);
	assert_string_not_equal(a.run, b.run);
}

/* ---- plan-check ---- */

static void event(json_t *events, const char *what, int step, const char *name, const char *machine)
{
	json_array_append_new(events, json_pack("{ss ss si ss ss}", "type", "event", "event", what,
	                                        "step", step, "name", name, "machine", machine));
}

static void ran(json_t *events, int step, const char *name, const char *machine)
{
	event(events, "started", step, name, machine);
	event(events, "done", step, name, machine);
}

/* Compares with the plan of make_plan; the differences in text. */
static size_t differences(json_t *events, struct strbuf *text)
{
	struct plan p;
	json_t *plan;
	size_t n;

	make_plan(&p);
	plan = plan_json(&p);
	strbuf_reset(text);
	n = plancheck(plan, events, text);
	json_decref(plan);
	json_decref(events);
	plan_release(&p);
	return n;
}

static void what_ran_as_planned_is_accepted(void **state)
{
	auto_strbuf text = {0};
	json_t *e = json_array();

	(void)state;
	ran(e, 0, "connect", "10.0.0.1");
	event(e, "started", 2, "stage files", "10.0.0.2");
	ran(e, 1, "stage files", "10.0.0.1");
	event(e, "done", 2, "stage files", "10.0.0.2");
	ran(e, 3, "kubeadm init", "10.0.0.1");
	ran(e, 4, "kubeadm join", "10.0.0.2");
	assert_int_equal(differences(e, &text), 0);

	e = json_array();
	ran(e, 1, "stage files", "10.0.0.1");
	ran(e, 2, "stage files", "10.0.0.2");
	event(e, "started", 3, "kubeadm init", "10.0.0.1");
	event(e, "failed", 3, "kubeadm init", "10.0.0.1");
	event(e, "skipped", 4, "kubeadm join", "10.0.0.2");
	assert_int_equal(differences(e, &text), 0);
}

static void each_difference_is_named(void **state)
{
	auto_strbuf text = {0};
	json_t *e = json_array();

	(void)state;
	ran(e, 1, "stage files", "10.0.0.1");
	event(e, "started", 4, "kubeadm join", "10.0.0.2");
	ran(e, 3, "kubeadm reset", "10.0.0.1");
	ran(e, 5, "kubeadm join", "10.0.0.3");
	event(e, "skipped", 2, "stage files", "10.0.0.2");
	ran(e, 1, "stage files", "10.0.0.1");
	assert_int_equal(differences(e, &text), 10);
	assert_non_null(strstr(text.buf,
	                       "step 4 (kubeadm join of 10.0.0.2): began although step 3, "
	                       "which it needs, had not succeeded\n"));
	assert_non_null(
	    strstr(text.buf, "began although step 2, which comes before it, had not ended"));
	assert_non_null(strstr(text.buf,
	                       "step 3 (kubeadm init of 10.0.0.1): what ran was \"kubeadm "
	                       "reset\" on 10.0.0.1\n"));
	assert_non_null(strstr(text.buf, "step 5: \"kubeadm join\" on 10.0.0.3 was not planned\n"));
	assert_non_null(
	    strstr(text.buf, "step 2 (stage files of 10.0.0.2): was skipped although all"));
	assert_non_null(strstr(text.buf, "step 1 (stage files of 10.0.0.1): began twice"));
	assert_non_null(
	    strstr(text.buf, "step 4 (kubeadm join of 10.0.0.2): began and did not end"));
	assert_non_null(strstr(text.buf, "step 3 (kubeadm init of 10.0.0.1): did not run"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_plan_is_printed_as_it_is),
	    cmocka_unit_test(no_secret_is_printed),
	    cmocka_unit_test(values_take_the_place_of_their_names),
	    cmocka_unit_test(runs_have_different_names),
	    cmocka_unit_test(what_ran_as_planned_is_accepted),
	    cmocka_unit_test(each_difference_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
