/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "cluster.h"
#include "err.h"
#include "unit.h"

#include <string.h>

static json_t *json(const char *text)
{
	json_t *v = json_loads(text, 0, NULL);

	assert_non_null(v);
	return v;
}

/* ---- another bundle ---- */

#define MEMBER "{\"kubelet_conf\":true,\"state\":{\"k8s\":\"v1.36.3\",\"bundle\":\"sha256:aa\"}}"
#define API(v) "{\"apiserver\":{\"state\":\"answers\",\"version\":\"" v "\"}}"

/* Checks one machine against bundle v1.37.2, sha256:bb; returns the sentence, "" when it may go. */
static const char *check(const char *facts, const char *cluster, bool yes)
{
	static struct err err;
	struct cluster_view v = {
	    .name = "10.0.0.1", .facts = json(facts), .cluster = json(cluster)};
	int rc;

	err = (struct err){0};
	rc = cluster_check_bundle(&v, 1, "v1.37.2", "sha256:bb", yes, &err);
	assert_int_equal(rc, *err.msg ? -1 : 0);
	json_decref((json_t *)(uintptr_t)v.facts);
	json_decref((json_t *)(uintptr_t)v.cluster);
	return err.msg;
}

static void refused(const char *facts, const char *cluster, const char *words)
{
	const char *said = check(facts, cluster, true); /* --yes does not matter */

	if (!strstr(said, words))
		fail_msg("\"%s\" is not in \"%s\"", words, said);
	assert_non_null(strstr(said, "10.0.0.1: "));
	assert_non_null(strstr(said, "v1.36.3"));
	assert_non_null(strstr(said, "v1.37.2"));
}

static void another_version_is_refused(void **state)
{
	(void)state;
	refused("{\"kubelet_conf\":true}", API("v1.36.3"), "its API server has Kubernetes v1.36.3");
	refused("{}", API("v1.36.3"), "its API server");
	refused(MEMBER, "{}", "its record of what was installed");
	refused("{\"kubelet_conf\":true}",
	        "{\"kubelet\":{\"version\":\"v1.36.3\",\"running\":true}}", "its kubelet");
	refused("{\"kubelet_conf\":true}",
	        "{\"apiserver\":{\"version\":\"v1.37.2\"},\"nodes\":[{\"name\":\"m2\","
	        "\"version\":\"v1.36.3\",\"control_plane\":true,\"self\":false}]}",
	        "the kubelet of m2");
	refused("{\"kubelet_conf\":true}",
	        "{\"nodes\":[{\"name\":\"w\",\"version\":\"v1.36.3\",\"self\":true}]}",
	        "the kubelet of w");
}

static void an_upgrade_that_is_held(void **state)
{
	static const char held[] =
	    "{\"apiserver\":{\"version\":\"v1.37.2\",\"emulates\":\"1.36\"}}";

	(void)state;
	assert_string_equal(check(MEMBER, held, true),
	                    "10.0.0.1: an upgrade to Kubernetes v1.37.2 is held before commit "
	                    "here: ./install upgrade goes on, ./install rollback leads back "
	                    "(nothing was changed)");
}

static void the_same_version_goes(void **state)
{
	static const char same[] =
	    "{\"kubelet_conf\":true,\"state\":{\"k8s\":\"v1.37.2\",\"bundle\":\"sha256:bb\"}}";

	(void)state;
	assert_string_equal(check(same, API("v1.37.2"), false), "");
	/* a worker elsewhere may lag behind, within Kubernetes' own rules */
	assert_string_equal(check(same,
	                          "{\"nodes\":[{\"name\":\"w\",\"version\":\"v1.36.3\","
	                          "\"control_plane\":false,\"self\":false}]}",
	                          false),
	                    "");
}

/* Files of an earlier bundle without a cluster are no cluster; nor is a kubelet that waits. */
static void files_alone_are_no_cluster(void **state)
{
	(void)state;
	assert_string_equal(check("{\"state\":{\"k8s\":\"v1.36.3\",\"bundle\":\"sha256:aa\"}}",
	                          "{\"kubelet\":{\"version\":\"v1.36.3\",\"running\":false},"
	                          "\"etcd\":{\"state\":\"none\"},"
	                          "\"apiserver\":{\"state\":\"none\"}}",
	                          false),
	                    "");
}

/* A first try with another bundle that left nothing but files may be tried anew with this one. */
static void leftovers_are_no_cluster(void **state)
{
	(void)state;
	assert_string_equal(
	    check(MEMBER,
	          "{\"interrupted\":{\"verb\":\"init\"},\"etcd\":{\"state\":\"none\"},"
	          "\"apiserver\":{\"state\":\"unreachable\",\"local\":false}}",
	          false),
	    "");
}

static void another_build_needs_yes(void **state)
{
	static const char other[] =
	    "{\"kubelet_conf\":true,\"state\":{\"k8s\":\"v1.37.2\",\"bundle\":\"sha256:aa\"}}";
	const char *said = check(other, API("v1.37.2"), false);

	(void)state;
	assert_non_null(strstr(said, "another build of the same Kubernetes version v1.37.2"));
	assert_non_null(strstr(said, "--yes"));
	assert_string_equal(check(other, API("v1.37.2"), true), "");
}

static void strange_answers_are_unknown(void **state)
{
	(void)state;
	assert_string_equal(check("[]", "[1,2]", false), "");
	assert_string_equal(check("{\"kubelet_conf\":true,\"state\":7}",
	                          "{\"apiserver\":\"x\",\"nodes\":{\"a\":1},\"kubelet\":[]}",
	                          false),
	                    "");
}

/* ---- an interrupted run ---- */

static enum half_run half(const char *facts, const char *cluster, const char *words)
{
	json_t *f = json(facts), *c = json(cluster);
	char why[600] = "";
	enum half_run h = half_run_decide(f, c, why, sizeof(why));

	if (!strstr(why, words))
		fail_msg("\"%s\" is not in \"%s\"", words, why);
	json_decref(f);
	json_decref(c);
	return h;
}

#define INIT          "\"interrupted\":{\"verb\":\"init\",\"at\":\"2026-11-29T03:00:00Z\"}"
#define JOIN          "\"interrupted\":{\"verb\":\"join\",\"at\":\"\"}"
#define SELF          "{\"id\":\"1\",\"alive\":true,\"learner\":false}"
#define RUNS(members) "\"etcd\":{\"state\":\"running\",\"self\":\"1\",\"members\":[" members "]}"
#define LOCAL         "\"apiserver\":{\"state\":\"answers\",\"local\":true}"
#define NONE          "\"etcd\":{\"state\":\"none\"},\"apiserver\":{\"state\":\"none\",\"local\":false}"

static void no_run_was_interrupted(void **state)
{
	(void)state;
	assert_int_equal(half("{}", "{" LOCAL "}", ""), HALF_NONE);
	assert_int_equal(half("{}", "{}", ""), HALF_NONE);
}

static void init_that_left_nothing_is_cleared(void **state)
{
	(void)state;
	assert_int_equal(half("{}", "{" INIT "," NONE "}", "kubeadm init at 2026-11-29T03:00:00Z;"),
	                 HALF_CLEAR);
}

static void init_that_did_end_is_a_member(void **state)
{
	(void)state;
	assert_int_equal(
	    half("{}", "{" INIT "," RUNS(SELF) "," LOCAL ",\"complete\":true}", "is a member"),
	    HALF_MEMBER);
}

/* Others have joined since. */
static void a_stale_record_is_no_reason(void **state)
{
	(void)state;
	assert_int_equal(half("{}",
	                      "{" INIT "," RUNS(SELF) "," LOCAL ",\"nodes\":[{\"name\":\"m\"},"
	                                              "{\"name\":\"w\"}]}",
	                      "is a member"),
	                 HALF_MEMBER);
	assert_int_equal(
	    half("{}", "{" INIT "," RUNS(SELF ",{\"id\":\"2\"}") "," LOCAL "}", "is a member"),
	    HALF_MEMBER);
}

static void init_whose_control_plane_answers_goes_on(void **state)
{
	(void)state;
	assert_int_equal(half("{}",
	                      "{" INIT "," RUNS(SELF) "," LOCAL ",\"complete\":false,"
	                                              "\"nodes\":[{\"name\":\"m\"}]}",
	                      "going on with it"),
	                 HALF_CONTINUE);
}

/* Its API server never came up, with a configuration that was wrong: nothing needs to be cleared.
 */
static void init_that_failed_goes_on_with_its_etcd(void **state)
{
	static const char etcd[] = "{" INIT ",\"apiserver\":{\"state\":\"unreachable\"},"
				   "\"etcd\":{\"state\":\"running\",\"self\":\"1\","
				   "\"members\":[" SELF "],\"nodes\":%d}}";
	char text[600];

	(void)state;
	snprintf(text, sizeof(text), etcd, 0);
	assert_int_equal(half("{}", text, "going on with it"), HALF_CONTINUE);
	snprintf(text, sizeof(text), etcd, 1);
	assert_int_equal(half("{}", text, "--accept-data-loss"), HALF_ASK_LOSS);
	snprintf(text, sizeof(text), etcd, -1);
	assert_int_equal(half("{}", text, "--accept-data-loss"), HALF_ASK_LOSS);
}

/* etcd has what only this machine has. */
static void data_is_never_cleared_unasked(void **state)
{
	(void)state;
	assert_int_equal(half("{}",
	                      "{" INIT ",\"etcd\":{\"state\":\"data\",\"error\":\"x\"},"
	                      "\"apiserver\":{\"state\":\"unreachable\",\"local\":false}}",
	                      "--accept-data-loss"),
	                 HALF_ASK_LOSS);
	assert_int_equal(half("{}",
	                      "{" INIT "," RUNS(SELF) ",\"apiserver\":{\"state\":\"unreachable\"}}",
	                      "--accept-data-loss"),
	                 HALF_ASK_LOSS);
	assert_int_equal(half("{}", "{" INIT "}", "--accept-data-loss"), HALF_ASK_LOSS);
}

#define M(id, learner) "{\"id\":\"" id "\",\"alive\":true,\"learner\":" learner "}"
#define DEAD(id)       "{\"id\":\"" id "\",\"alive\":false,\"learner\":false}"

static void join_of_a_master(void **state)
{
	(void)state;
	assert_int_equal(half("{\"kubelet_conf\":true}",
	                      "{" JOIN "," RUNS(SELF "," M("2", "false")) "," LOCAL
	                                                                  ",\"complete\":true}",
	                      "is a member"),
	                 HALF_MEMBER);
	/* a learner has not joined yet, whatever else there is */
	assert_int_equal(half("{\"kubelet_conf\":true}",
	                      "{" JOIN
	                      "," RUNS(M("1", "true") "," M("2", "false")) "," LOCAL
	                                                                   ",\"complete\":true}",
	                      "add --yes"),
	                 HALF_ASK);
	assert_int_equal(half("{\"kubelet_conf\":true}",
	                      "{" JOIN "," RUNS(SELF "," M("2", "false") "," M("3", "false")) "}",
	                      "add --yes"),
	                 HALF_ASK);
	/* the others would have no quorum without it */
	assert_int_equal(half("{\"kubelet_conf\":true}",
	                      "{" JOIN "," RUNS(SELF "," M("2", "false") "," DEAD("3")) "}",
	                      "--accept-data-loss"),
	                 HALF_ASK_LOSS);
	assert_int_equal(half("{\"kubelet_conf\":true}", "{" JOIN ",\"etcd\":{\"state\":\"data\"}}",
	                      "--accept-data-loss"),
	                 HALF_ASK_LOSS);
}

static void join_of_a_worker(void **state)
{
	(void)state;
	assert_int_equal(half("{\"kubelet_conf\":true}",
	                      "{" JOIN ",\"etcd\":{\"state\":\"none\"},"
	                      "\"apiserver\":{\"state\":\"answers\"},\"complete\":true}",
	                      "is a member"),
	                 HALF_MEMBER);
	assert_int_equal(half("{\"kubelet_conf\":false}", "{" JOIN "," NONE "}", "clearing it"),
	                 HALF_CLEAR);
	/* pods may run there */
	assert_int_equal(half("{\"kubelet_conf\":true}", "{" JOIN "," NONE "}", "add --yes"),
	                 HALF_ASK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(another_version_is_refused),
	    cmocka_unit_test(an_upgrade_that_is_held),
	    cmocka_unit_test(the_same_version_goes),
	    cmocka_unit_test(files_alone_are_no_cluster),
	    cmocka_unit_test(leftovers_are_no_cluster),
	    cmocka_unit_test(another_build_needs_yes),
	    cmocka_unit_test(strange_answers_are_unknown),
	    cmocka_unit_test(no_run_was_interrupted),
	    cmocka_unit_test(init_that_left_nothing_is_cleared),
	    cmocka_unit_test(init_that_did_end_is_a_member),
	    cmocka_unit_test(a_stale_record_is_no_reason),
	    cmocka_unit_test(init_whose_control_plane_answers_goes_on),
	    cmocka_unit_test(init_that_failed_goes_on_with_its_etcd),
	    cmocka_unit_test(data_is_never_cleared_unasked),
	    cmocka_unit_test(join_of_a_master),
	    cmocka_unit_test(join_of_a_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
