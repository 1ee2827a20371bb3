/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* Which nodes may leave a cluster, and in which steps. */
#include "removeplan.h"

#include "err.h"
#include "mem.h"
#include "plan.h"
#include "strbuf.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS_MAX = 7 };

enum kind { HEALTHY, LEARNER, DEAD, KINDS };

/* A master for each letter (h: healthy, l: learner, d: dead), the first one is asked; then workers.
 */
static json_t *cluster_of(const char *kinds, size_t workers)
{
	json_t *members = json_array(), *nodes = json_array();
	size_t masters = strlen(kinds);

	for (size_t i = 0; i < masters; i++)
		json_array_append_new(
		    members, json_pack("{so so s[o] sb sb}", "id", json_sprintf("%zx", i + 16),
		                       "name", json_sprintf("m%zu", i), "client_urls",
		                       json_sprintf("https://10.0.0.%zu:2379", i), "alive",
		                       kinds[i] != 'd', "learner", kinds[i] == 'l'));
	for (size_t i = 0; i < masters + workers; i++)
		json_array_append_new(nodes,
		                      json_pack("{so so sb sb sb}", "name",
		                                i < masters ? json_sprintf("m%zu", i)
		                                            : json_sprintf("w%zu", i - masters),
		                                "address", json_sprintf("10.0.0.%zu", i), "ready",
		                                i >= masters || kinds[i] != 'd', "control_plane",
		                                i < masters, "self", i == 0));
	return json_pack("{s{so} so}", "etcd", "members", members, "nodes", nodes);
}

/* "" or why not */
static char *judge(const json_t *cluster, const char *names, bool dead, struct removals *r)
{
	auto_strlist wanted = {0};
	auto_free char *copy = xstrdup(names);
	char *next = copy, *word;
	struct err err = {0};
	int rc;

	while ((word = strsep(&next, " ")))
		strlist_add(&wanted, word);
	rc = removals_find(r, cluster, &wanted, &err);
	if (rc == 0)
		rc = removals_check(r, dead, &err);
	return xstrdup(rc < 0 ? err.msg : "");
}

static void refused(const char *kinds, const char *names, bool dead, const char *words)
{
	json_t *cluster = cluster_of(kinds, 2);
	struct removals r = {0};
	auto_free char *why = judge(cluster, names, dead, &r);

	print_message("%s - %s: %s\n", kinds, names, why);
	assert_true(*words ? strstr(why, words) != NULL : !*why);
	removals_release(&r);
	json_decref(cluster);
}

static void by_hand(void **state)
{
	(void)state;
	refused("hhh", "w1", false, "");
	refused("hhh", "m2", false, "");
	refused("hhh", "M2 10.0.0.2", false, ""); /* one node, named twice */
	refused("hhh", "m1 m2", false, "");
	refused("hhh", "m0", false, "m0 is the master that is asked");
	refused("hhh", "w9", false,
	        "w9: no node has that name or address; there are: m0, m1, m2, w0, w1");
	refused("hhh", "w1", true, "w1 is Ready: --dead is for machines that are gone for good");
	refused("hhd", "m2", true, "");
	refused("hhd", "m1", false, "after its removal 1 of 2 voting members of etcd would answer");
	refused("hdd", "m1", true, "before its removal 1 of 3 voting members");
	refused("hhhd", "m3 m2", false, "");
	refused("hl", "m1", false, "");
}

/* The order: who does not answer goes first, whatever the order in which they are named. */
static void order(void **state)
{
	json_t *cluster = cluster_of("hhhd", 0);
	struct removals r = {0};
	auto_free char *why = judge(cluster, "m2 m3", false, &r);

	(void)state;
	assert_string_equal(why, "");
	assert_string_equal(r.v[0].name, "m3");
	assert_string_equal(r.v[1].name, "m2");
	removals_release(&r);
	json_decref(cluster);
}

/* What is allowed never leaves etcd without a majority that answers, on no step of the way. */
static void walk(const char *kinds, const struct removals *r)
{
	size_t voters = 0, alive = 0;

	for (const char *k = kinds; *k; k++) {
		voters += *k != 'l';
		alive += *k == 'h';
	}
	for (size_t i = 0; i < r->n; i++) {
		char kind = kinds[atoi(r->v[i].name + 1)];

		assert_true(2 * alive > voters);
		voters -= kind != 'l';
		alive -= kind == 'h';
		assert_true(2 * alive > voters);
	}
}

/* Every pattern of up to seven members, every set of the others that is to go. */
static void all_patterns(void **state)
{
	size_t allowed = 0, judged = 0;

	(void)state;
	for (size_t n = 1; n <= MEMBERS_MAX; n++) {
		size_t patterns = 1;

		for (size_t i = 1; i < n; i++)
			patterns *= KINDS;
		for (size_t p = 0; p < patterns; p++) {
			char kinds[MEMBERS_MAX + 1] = "h";
			size_t rest = p;
			json_t *cluster;

			for (size_t i = 1; i < n; i++, rest /= KINDS)
				kinds[i] = "hld"[rest % KINDS];
			cluster = cluster_of(kinds, 1);
			for (size_t set = 1; set < 1u << (n - 1); set++) {
				auto_strbuf names = {0};
				struct removals r = {0};

				for (size_t i = 1; i < n; i++)
					if (set >> (i - 1) & 1)
						strbuf_addf(&names, "%sm%zu", names.len ? " " : "",
						            i);
				auto_free char *why = judge(cluster, strbuf_str(&names), false, &r);

				judged++;
				allowed += !*why;
				if (!*why)
					walk(kinds, &r);
				removals_release(&r);
			}
			json_decref(cluster);
		}
	}
	print_message("%zu of %zu allowed\n", allowed, judged);
	assert_true(allowed > 10000 && allowed < judged);
}

/* "OPERATION SCOPE NODE" of each step. */
static char *steps(const char *kinds, const char *names, bool dead)
{
	static const size_t machines[] = {1, 2};
	json_t *cluster = cluster_of(kinds, 1);
	struct removals r = {0};
	auto_free char *why = judge(cluster, names, dead, &r);
	struct plan plan;
	struct err err;
	auto_strbuf out = {0};

	assert_string_equal(why, "");
	assert_int_equal(plan_init(&plan, &err), 0);
	removals_plan(&r, dead, 5, 0, "asked", machines, &plan);
	for (size_t i = 0; i < plan.n; i++) {
		const struct step *s = &plan.v[i];
		const char *node = json_string_value(json_object_get(s->args, "node"));
		const char *id = json_string_value(json_object_get(s->args, "id"));

		strbuf_addf(&out, "%s%s %s%s%s", i ? ", " : "", s->op, s->scope,
		            node || id ? " " : "",
		            node ? node
		            : id ? id
		                 : "");
		assert_int_equal(s->n_needs, i ? 1 : 0);
	}
	plan_release(&plan);
	removals_release(&r);
	json_decref(cluster);
	return xstrdup(strbuf_str(&out));
}

static void in_steps(void **state)
{
	auto_free char *two = steps("hhh", "w0 m2", false);
	auto_free char *dead = steps("hhd", "m2", true);

	(void)state;
	assert_string_equal(two, "drain asked w0, reset w0, delete_node asked w0, "
	                         "drain asked m2, reset m2, delete_node asked m2");
	assert_string_equal(dead, "remove_member asked 12, delete_node asked m2");
}

static void question(void **state)
{
	json_t *cluster = cluster_of("hhh", 1);
	struct removals r = {0};
	auto_free char *why = judge(cluster, "m2", false, &r);
	auto_strbuf q = {0};

	(void)state;
	assert_string_equal(why, "");
	removals_question(&r, false, &q);
	assert_non_null(strstr(strbuf_str(&q), "  m2 (10.0.0.2), with its etcd member\n"));
	assert_non_null(strstr(strbuf_str(&q), "etcd has 2 voting members then: if one of the two "
	                                       "fails, the cluster stands still"));
	removals_release(&r);
	json_decref(cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(by_hand),  cmocka_unit_test(order),    cmocka_unit_test(all_patterns),
	    cmocka_unit_test(in_steps), cmocka_unit_test(question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
