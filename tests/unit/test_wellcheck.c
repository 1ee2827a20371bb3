/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* When a machine that was changed is well enough for the next one. (What a cluster must be before:
 * test_upgradecheck.) */
#include "wellcheck.h"

#include "unit.h"

#include <string.h>

static json_t *answer(void)
{
	json_t *a = json_pack("{s{ss sb} s{ss} s[{sb}{sb ss sb}]}", "apiserver", "version",
	                      "v1.37.2", "local", 1, "etcd", "state", "running", "nodes", "ready",
	                      0, "self", 1, "version", "v1.37.2", "ready", 1);

	assert_non_null(a);
	return a;
}

static json_t *self(json_t *a)
{
	return json_array_get(json_object_get(a, "nodes"), 1);
}

static void lacks(const struct well_want *w, json_t *a, const char *words)
{
	assert_string_equal(well_missing(w, a), words);
	json_decref(a);
}

static void what_is_missing(void **state)
{
	const struct well_want any = {0}, master = {.control_plane = true},
			       old = {.control_plane = true, .api_version = "v1.36.3"},
			       node = {.kubelet_version = "v1.36.3"},
			       works = {.control_plane = true, .works_as = "1.37"},
			       emulates = {.control_plane = true, .works_as = "1.36"};
	json_t *a;

	(void)state;
	lacks(&master, answer(), "");
	lacks(&old, answer(), "its API server has another version");
	lacks(&node, answer(), "its kubelet has another version");
	lacks(&works, answer(), "");
	lacks(&emulates, answer(), "its API server works as another minor version");
	a = answer();
	json_object_set_new(json_object_get(a, "apiserver"), "emulates", json_string("1.36"));
	lacks(&emulates, json_incref(a), "");
	lacks(&works, a, "its API server works as another minor version");
	a = answer();
	json_object_set_new(json_object_get(a, "apiserver"), "local", json_false());
	lacks(&any, json_incref(a), "");
	lacks(&master, a, "its API server does not answer");
	a = answer();
	json_object_set_new(json_object_get(a, "etcd"), "state", json_string("data"));
	lacks(&master, json_incref(a), "its member of etcd does not answer");
	json_object_set_new(json_object_get(a, "etcd"), "state", json_string("external"));
	lacks(&master, a, "");
	a = answer();
	json_object_set_new(self(a), "ready", json_false());
	lacks(&any, a, "its node is not Ready");
	lacks(&any, json_object(), "its node is not Ready"); /* answers are untrusted */
}

/* The clock is ours: each row is a second and what lacks then. */
static void well_for_a_while(void **state)
{
	static const struct {
		int second;
		const char *lacks;
		enum step_verdict want;
	} t[] = {
	    {1, "x", VERDICT_AGAIN},  {5, "", VERDICT_AGAIN},   {34, "", VERDICT_AGAIN},
	    {34, "x", VERDICT_AGAIN}, {35, "", VERDICT_AGAIN},  {64, "", VERDICT_AGAIN},
	    {65, "", VERDICT_DONE},   {66, "", VERDICT_AGAIN}, /* of the next step */
	    {99, "x", VERDICT_AGAIN}, {100, "", VERDICT_AGAIN}, {101, "x", VERDICT_FAILED},
	};
	struct well_times times = {.began = 1000, .wait_ms = 100000};
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
		assert_int_equal(well_judge(t[i].lacks, &times, t[i].second * 1000LL, &err),
		                 t[i].want);
	assert_non_null(strstr(err.msg, "x for 100 s (journalctl -u kubelet there)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_missing),
	    cmocka_unit_test(well_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
