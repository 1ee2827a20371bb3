/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "etcd.h"
#include "mem.h"
#include "plan.h"
#include "resetplan.h"
#include "strbuf.h"
#include "unit.h"

#include <string.h>

/* Three masters of one cluster: members 1, 2 and 3 at 10.0.0.1 ... */
#define MEMBER(n, up)                                                                 \
	"{\"id\":\"" n "\",\"name\":\"m" n "\",\"peer_urls\":[\"https://10.0.0." n    \
	":2380\"],\"client_urls\":[\"https://10.0.0." n ":2379\"],\"learner\":false," \
	"\"started\":true,\"alive\":" up "}"
#define ALL_UP     MEMBER("1", "true") "," MEMBER("2", "true") "," MEMBER("3", "true")
#define THIRD_DOWN MEMBER("1", "true") "," MEMBER("2", "true") "," MEMBER("3", "false")
#define ALONE_UP   MEMBER("1", "true") "," MEMBER("2", "false") "," MEMBER("3", "false")
#define FACTS(n)                                                                            \
	"{\"hostname\":\"m" n "\",\"ca\":\"x\",\"addresses\":[{\"address\":\"127.0.0.1\"}," \
	"{\"address\":\"10.0.0." n "\"}]}"
#define RUNS(n, members) \
	"{\"etcd\":{\"state\":\"running\",\"self\":\"" n "\",\"members\":[" members "]}}"
#define DATA   "{\"etcd\":{\"state\":\"data\",\"error\":\"no answer\",\"data_dir\":\"/d\"}}"
#define WORKER "{\"etcd\":{\"state\":\"none\"}}"

static struct cluster_view views[4];
static struct reset_plan plan;

/* Machine number i (from 0) of the run; facts NULL: not reached. */
static void machine(size_t i, const char *name, const char *facts, const char *cluster)
{
	views[i] = (struct cluster_view){.name = name, .address = name};
	if (facts) {
		views[i].facts = json_loads(facts, 0, NULL);
		views[i].cluster = json_loads(cluster, 0, NULL);
		assert_non_null(views[i].facts);
		assert_non_null(views[i].cluster);
	}
}

static void decide(size_t n)
{
	reset_plan_init(&plan, views, n);
}

static int end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		json_decref((json_t *)(uintptr_t)views[i].facts);
		json_decref((json_t *)(uintptr_t)views[i].cluster);
	}
	memset(views, 0, sizeof(views));
	reset_plan_release(&plan);
	return 0;
}

static bool leaves_etcd(size_t i)
{
	json_t *args = reset_plan_args(&plan, i, false);
	bool leaves = json_is_object(json_object_get(args, "etcd"));

	json_decref(args);
	return leaves;
}

static void whole_cluster(void **state)
{
	(void)state;
	machine(0, "10.0.0.1", FACTS("1"), RUNS("1", ALL_UP));
	machine(1, "10.0.0.2", FACTS("2"), RUNS("2", ALL_UP));
	machine(2, "10.0.0.3", FACTS("3"), RUNS("3", ALL_UP));
	machine(3, "10.0.0.9", FACTS("9"), WORKER);
	decide(4);
	for (size_t i = 0; i < 4; i++)
		assert_false(leaves_etcd(i));
	assert_string_equal(plan.remain, "");
	assert_string_equal(plan.loss, "");
}

/* Whatever our record says: a master that was joined by hand is in etcd's list. */
static void one_of_three_leaves(void **state)
{
	json_t *args;

	(void)state;
	machine(0, "10.0.0.2", FACTS("2"), RUNS("2", ALL_UP));
	decide(1);
	assert_true(leaves_etcd(0));
	assert_string_equal(plan.remain, "m1, m3");
	assert_string_equal(plan.loss, "");
	args = reset_plan_args(&plan, 0, true);
	assert_string_equal(json_string_value(json_object_get(json_object_get(args, "etcd"), "id")),
	                    "2");
	assert_string_equal(
	    json_string_value(json_object_get(json_object_get(args, "etcd"), "others")),
	    "https://10.0.0.1:2379,https://10.0.0.3:2379");
	assert_true(json_is_true(json_object_get(args, "insist")));
	json_decref(args);
}

static void two_of_three_leave_one_after_the_other(void **state)
{
	(void)state;
	machine(0, "10.0.0.1", FACTS("1"), RUNS("1", ALL_UP));
	machine(1, "10.0.0.2", FACTS("2"), RUNS("2", ALL_UP));
	decide(2);
	assert_true(leaves_etcd(0));
	assert_true(leaves_etcd(1));
	assert_string_equal(plan.remain, "m3");
	assert_string_equal(plan.loss, "");
	assert_int_equal(plan.order[0], 1); /* the first master last */
	assert_int_equal(plan.order[1], 0);
}

/* Of three two are alive: when one of them leaves, one of two is. */
static void leaving_that_costs_the_quorum_is_a_loss(void **state)
{
	(void)state;
	machine(0, "10.0.0.1", FACTS("1"), RUNS("1", THIRD_DOWN));
	decide(1);
	assert_true(leaves_etcd(0));
	assert_non_null(strstr(plan.loss, "no quorum"));
	assert_non_null(strstr(plan.loss, "m2, m3 (does not answer)"));
}

/* A dead member is removed by the others. */
static void a_dead_member_leaves(void **state)
{
	(void)state;
	machine(0, "10.0.0.1", FACTS("1"), RUNS("1", THIRD_DOWN));
	machine(1, "10.0.0.3", FACTS("3"), DATA);
	decide(2);
	assert_string_equal(plan.v[1].id, "3");
	assert_false(plan.v[1].unknown);
	assert_int_equal(plan.order[0], 1); /* first who does not answer */
	assert_string_equal(plan.remain, "m2");
	assert_string_equal(plan.loss, "");
}

static void no_member_answers(void **state)
{
	(void)state;
	machine(0, "10.0.0.1", FACTS("1"), DATA);
	decide(1);
	assert_true(plan.v[0].unknown);
	assert_non_null(strstr(plan.loss, "10.0.0.1: its etcd does not answer (no answer)"));
	assert_non_null(strstr(plan.loss, "/d"));
	assert_true(leaves_etcd(0));
}

/* A member that was removed earlier has data that means nothing any more. */
static void no_member_any_more(void **state)
{
	(void)state;
	machine(0, "10.0.0.1", FACTS("1"), RUNS("1", MEMBER("1", "true")));
	machine(1, "10.0.0.2", FACTS("2"),
	        "{\"etcd\":{\"state\":\"data\",\"asked\":\"others\",\"members\":[" MEMBER(
		    "1", "true") "]}}");
	decide(2);
	assert_null(plan.v[1].id);
	assert_false(leaves_etcd(1));
	assert_string_equal(plan.loss, "");
}

/* All are named, one of them is switched off: the cluster ends, no member has to leave it. */
static void an_unreached_machine_counts_as_named(void **state)
{
	(void)state;
	machine(0, "10.0.0.1", FACTS("1"), RUNS("1", THIRD_DOWN));
	machine(1, "10.0.0.2", FACTS("2"), RUNS("2", THIRD_DOWN));
	machine(2, "10.0.0.3", NULL, NULL);
	decide(3);
	for (size_t i = 0; i < 3; i++)
		assert_false(leaves_etcd(i));
	assert_string_equal(plan.loss, "");
}

static void an_unreached_machine_that_stays_is_named(void **state)
{
	(void)state;
	machine(0, "10.0.0.1", FACTS("1"), RUNS("1", THIRD_DOWN));
	machine(1, "10.0.0.3", NULL, NULL);
	decide(2);
	assert_true(leaves_etcd(0));
	assert_string_equal(plan.remain, "m2, m3 (does not answer)");
	assert_non_null(strstr(plan.loss, "no quorum"));
}

/* The list that one member alone knows is a list: the whole cluster is named. */
static void without_quorum_the_list_is_known(void **state)
{
	(void)state;
	machine(0, "10.0.0.1", FACTS("1"), RUNS("1", ALONE_UP));
	machine(1, "10.0.0.2", FACTS("2"), DATA);
	machine(2, "10.0.0.3", FACTS("3"), DATA);
	decide(3);
	assert_string_equal(plan.remain, "");
	assert_string_equal(plan.loss, "");
	assert_false(leaves_etcd(1));
}

static void another_cluster_says_nothing(void **state)
{
	(void)state;
	machine(0, "10.0.0.1", FACTS("1"), RUNS("1", ALL_UP));
	machine(1, "10.0.0.3",
	        "{\"hostname\":\"m3\",\"ca\":\"y\",\"addresses\":[{\"address\":\"10.0.0.3\"}]}",
	        DATA);
	decide(2);
	assert_true(plan.v[1].unknown);
	assert_non_null(strstr(plan.loss, "10.0.0.3"));
}

static void the_question_says_what_is_lost(void **state)
{
	auto_strbuf q = {0};

	(void)state;
	machine(0, "10.0.0.1", FACTS("1"),
	        "{\"etcd\":{\"state\":\"running\",\"self\":\"1\",\"members\":[" MEMBER(
		    "1", "true") "]},\"apiserver\":{\"version\":\"v1.37.2\"},"
	                         "\"nodes\":[{},{}],\"pods\":12}");
	machine(1, "10.0.0.9", FACTS("9"), WORKER);
	decide(2);
	reset_plan_question(&plan, &q);
	assert_string_equal(
	    strbuf_str(&q),
	    "Kubernetes and all its data will be removed from\n"
	    "  10.0.0.1, etcd member m1, in a cluster of Kubernetes v1.37.2 with 2 nodes, "
	    "12 running pods\n"
	    "  10.0.0.9\n"
	    "No member of etcd stays: the cluster ends, with all its data\n"
	    "Go on?");
}

static void strange_answers_are_no_members(void **state)
{
	(void)state;
	machine(0, "10.0.0.1", "[]", "{\"etcd\":[1]}");
	machine(1, "10.0.0.2", "{\"addresses\":7}",
	        "{\"etcd\":{\"state\":\"running\",\"members\":[3,{\"id\":5,\"peer_urls\":{}}]}}");
	decide(2);
	assert_null(plan.v[0].id);
	assert_null(plan.v[1].id);
}

/* ---- what etcdctl prints ---- */

static const char fields[] = "\"ClusterID\" : 13455796455940752355\n"
			     "\"MemberID\" : 443629905751424238\n"
			     "\"RaftTerm\" : 2\n"
			     "\"ID\" : 443629905751424238\n"
			     "\"Name\" : \"a\"\n"
			     "\"PeerURL\" : \"http://127.0.0.1:2380\"\n"
			     "\"ClientURL\" : \"http://127.0.0.1:2379\"\n"
			     "\"IsLearner\" : false\n\n"
			     "\"ID\" : 18446744073709551615\n"
			     "\"Name\" : \"\"\n"
			     "\"PeerURL\" : \"http://127.0.0.2:2380\"\n"
			     "\"IsLearner\" : true\n\n";

/* Workers first; then the masters, each after the one before; nothing for a lost machine. */
static void steps_are_in_order(void **state)
{
	auto_strbuf seen = {0};
	struct plan steps = {0};
	struct err err = {0};

	(void)state;
	machine(0, "10.0.0.1", FACTS("1"), RUNS("1", ALL_UP));
	machine(1, "10.0.0.9", FACTS("9"), WORKER);
	machine(2, "10.0.0.3", NULL, NULL);
	machine(3, "10.0.0.8", FACTS("8"), WORKER);
	views[3].master = true; /* without a member of etcd */
	decide(4);
	assert_int_equal(plan_init(&steps, &err), 0);
	reset_plan_steps(&plan, &steps);
	assert_int_equal(steps.n, 3);
	for (size_t i = 0; i < steps.n; i++) {
		const struct step *s = &steps.v[i];

		strbuf_addf(&seen, "%s after", s->scope);
		for (size_t k = 0; k < s->n_after; k++)
			strbuf_addf(&seen, " %d", s->after[k]);
		strbuf_addch(&seen, '\n');
	}
	assert_string_equal(strbuf_str(&seen),
	                    "10.0.0.9 after\n10.0.0.8 after 1\n10.0.0.1 after 2\n");
	plan_release(&steps);
}

static void members_are_read(void **state)
{
	json_t *out = json_object(), *members, *m;
	auto_free char *urls = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(etcd_parse_members(fields, out, &err), 0);
	assert_string_equal(json_string_value(json_object_get(out, "self")), "628170c800dbcee");
	members = json_object_get(out, "members");
	assert_int_equal(json_array_size(members), 2);
	m = etcd_member(members, "ffffffffffffffff");
	assert_non_null(m);
	assert_true(json_is_true(json_object_get(m, "learner")));
	assert_false(json_is_true(json_object_get(m, "started")));
	etcd_parse_status("\"ClusterID\" : 14841639068965178418\n"
	                  "\"MemberID\" : 443629905751424238\n"
	                  "\"Revision\" : 5\n"
	                  "\"Version\" : \"3.7.0\"\n"
	                  "\"DBSize\" : 20480\n"
	                  "\"DBSizeQuota\" : 2147483648\n"
	                  "\"Leader\" : 443629905751424238\n"
	                  "\"Errors\" : [memberID:443629905751424238 alarm:NOSPACE ]\n"
	                  "\"Endpoint\" : \"http://127.0.0.1:2379\"\n"
	                  "\"DowngradeEnabled\" : false\n\n",
	                  members);
	m = etcd_member(members, "628170c800dbcee");
	assert_string_equal(json_string_value(json_object_get(m, "version")), "3.7.0");
	assert_string_equal(json_string_value(json_object_get(m, "leader")), "628170c800dbcee");
	assert_string_equal(json_string_value(json_object_get(m, "errors")),
	                    "[memberID:443629905751424238 alarm:NOSPACE ]");
	assert_int_equal(json_integer_value(json_object_get(m, "db_bytes")), 20480);
	m = etcd_member(members, "ffffffffffffffff");
	assert_true(
	    json_is_true(json_object_get(etcd_member(members, "628170c800dbcee"), "alive")));
	assert_false(json_is_true(json_object_get(m, "alive")));
	urls = etcd_other_urls(members, "ffffffffffffffff");
	assert_string_equal(urls, "http://127.0.0.1:2379");
	json_decref(out);
}

static void no_members_is_a_failure(void **state)
{
	json_t *out = json_object();
	struct err err = {0};

	(void)state;
	assert_int_equal(etcd_parse_members("\"MemberID\" : 1\n", out, &err), -1);
	assert_int_equal(etcd_parse_members("", out, &err), -1);
	json_decref(out);
}

#define CASE(f) cmocka_unit_test_teardown(f, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(whole_cluster),
	    CASE(one_of_three_leaves),
	    CASE(two_of_three_leave_one_after_the_other),
	    CASE(leaving_that_costs_the_quorum_is_a_loss),
	    CASE(a_dead_member_leaves),
	    CASE(no_member_answers),
	    CASE(no_member_any_more),
	    CASE(an_unreached_machine_counts_as_named),
	    CASE(an_unreached_machine_that_stays_is_named),
	    CASE(without_quorum_the_list_is_known),
	    CASE(another_cluster_says_nothing),
	    CASE(the_question_says_what_is_lost),
	    CASE(strange_answers_are_no_members),
	    CASE(steps_are_in_order),
	    cmocka_unit_test(members_are_read),
	    cmocka_unit_test(no_members_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
