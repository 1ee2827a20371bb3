/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "health/pool.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pool pool;
static struct rules rules;

static void start(size_t n)
{
	struct addr rs[8] = {{0}};

	for (size_t i = 0; i < n; i++)
		rs[i] = (struct addr){
		    .family = AF_INET, .bytes = {10, 0, 0, (uint8_t)(i + 1)}, .port = 6443};
	pool_init(&pool, rs, n, 2, 2);
}

/* "1=1 3=0": last part of each server's address and its weight. */
static const char *now(void)
{
	static char text[64];
	size_t len = 0;

	pool_rules(&pool, &rules);
	text[0] = '\0';
	for (size_t i = 0; i < rules.n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u=%u", i ? " " : "",
		                        rules.dest[i].addr.bytes[3], rules.dest[i].weight);
	return text;
}

static void report(size_t i, enum verdict v, int times)
{
	while (times--) {
		pool_report(&pool, i, v);
		pool_rules(&pool, &rules);
	}
}

static void all_up(void)
{
	for (size_t i = 0; i < pool.n; i++)
		report(i, VERDICT_READY, 1);
}

static void a_start_takes_nothing_away(void **state)
{
	(void)state;
	start(3);
	assert_string_equal(now(), "1=1 2=1 3=1");
	assert_true(pool_in_transition(&pool, 0));
	all_up();
	assert_int_equal(pool.server[0].state, SERVER_UP); /* one good answer is enough here */
	assert_false(pool_in_transition(&pool, 0));
}

/* table: weights of the servers 1, 2 and so on; -1: not in it */
static void start_from(const int *table, size_t n)
{
	struct rules_view v = {.n = 0};

	start(n);
	pool.ramp_ms = 10000;
	for (size_t i = 0; i < n; i++)
		if (table[i] >= 0)
			v.dest[v.n++] = (struct rules_seen){.addr = pool.server[i].addr,
			                                    .weight = (uint32_t)table[i]};
	pool_start(&pool, &v);
}

static void a_restart_changes_nothing(void **state)
{
	static const struct {
		int table[3];
		const char *rules, *all_up;
	} cases[] = {
	    {{1, 1, 1}, "1=1 2=1 3=1", "1=1 2=1 3=1"},    {{1, -1, 1}, "1=1 3=1", "1=8 2=1 3=8"},
	    {{1, 0, 1}, "1=1 2=0 3=1", "1=8 2=1 3=8"},    {{8, 2, 8}, "1=8 2=2 3=8", "1=8 2=2 3=8"},
	    {{4, 1, 4}, "1=8 2=2 3=8", "1=8 2=2 3=8"}, /* as nftables has it */
	    {{-1, -1, -1}, "1=1 2=1 3=1", "1=1 2=1 3=1"}, {{0, 0, 0}, "1=1 2=1 3=1", "1=1 2=1 3=1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start_from(cases[i].table, 3);
		assert_string_equal(now(), cases[i].rules);
		all_up();
		all_up();
		assert_string_equal(now(), cases[i].all_up);
	}
	/* one bad answer more leaves it where it was, and the black hole does not come back */
	start_from((int[]){1, -1, 1}, 3);
	report(0, VERDICT_READY, 1);
	report(1, VERDICT_FAILED, 1);
	assert_string_equal(now(), "1=1 3=1");
}

static void dead_is_decided_at_once_silence_twice(void **state)
{
	(void)state;
	start(3);
	all_up();
	assert_true(pool_report(&pool, 0, VERDICT_DEAD));
	assert_string_equal(now(), "2=1 3=1");
	assert_false(pool_report(&pool, 1, VERDICT_FAILED));
	assert_true(pool_in_transition(&pool, 1));
	assert_string_equal(now(), "2=1 3=1");
	assert_true(pool_report(&pool, 1, VERDICT_FAILED));
	assert_string_equal(now(), "3=1");
	assert_false(pool_report(&pool, 0, VERDICT_READY)); /* rise 2 */
	assert_true(pool_in_transition(&pool, 0));
	assert_true(pool_report(&pool, 0, VERDICT_READY));
	assert_string_equal(now(), "1=1 3=1");
}

static void a_busy_server_is_drained_and_a_stuck_one_dead(void **state)
{
	(void)state;
	start(2);
	all_up();
	report(0, VERDICT_LATE, 1);
	assert_string_equal(now(), "1=1 2=1");
	report(0, VERDICT_LATE, 1);
	assert_int_equal(pool.server[0].state, SERVER_UNREADY);
	assert_string_equal(now(), "1=0 2=1");
	assert_true(pool_in_transition(&pool, 0));
	assert_false(pool_hear(&pool, 0, VERDICT_READY)); /* that is no new connection */
	report(0, VERDICT_LATE, 5);
	assert_string_equal(now(), "1=0 2=1");
	report(0, VERDICT_LATE, 1);
	assert_int_equal(pool.server[0].state, SERVER_DOWN);
	assert_string_equal(now(), "2=1");
	report(0, VERDICT_LATE, 1);
	assert_string_equal(now(), "2=1");
	report(0, VERDICT_READY, 2);
	assert_string_equal(now(), "1=1 2=1");
	report(0, VERDICT_LATE, 1);
	report(0, VERDICT_FAILED,
	       1); /* half dead: not twice without a sign of life, but twice bad */
	assert_string_equal(now(), "1=0 2=1");
	report(0, VERDICT_FAILED, 1);
	assert_string_equal(now(), "2=1");
}

static void one_bad_answer_is_no_reason(void **state)
{
	(void)state;
	start(2);
	all_up();
	for (int i = 0; i < 10; i++) {
		assert_false(pool_report(&pool, 0, i % 2 ? VERDICT_READY : VERDICT_FAILED));
		assert_string_equal(now(), "1=1 2=1");
	}
}

static void unready_is_drained_and_silent_after_that_is_down(void **state)
{
	(void)state;
	start(3);
	all_up();
	assert_false(pool_report(&pool, 0, VERDICT_UNREADY));
	assert_true(pool_report(&pool, 0, VERDICT_UNREADY));
	assert_string_equal(now(), "1=0 2=1 3=1");
	assert_false(pool_report(&pool, 0, VERDICT_FAILED));
	assert_true(pool_in_transition(&pool, 0));
	assert_string_equal(now(), "1=0 2=1 3=1");
	assert_true(pool_report(&pool, 0, VERDICT_FAILED));
	assert_string_equal(now(), "2=1 3=1");
	assert_true(pool_report(&pool, 0, VERDICT_UNREADY)); /* it answers again */
	assert_string_equal(now(), "1=0 2=1 3=1");
	report(0, VERDICT_READY, 2);
	assert_string_equal(now(), "1=1 2=1 3=1");
	report(1, VERDICT_UNREADY, 1); /* mixed: the answer shows that it lives */
	report(1, VERDICT_FAILED, 1);
	assert_string_equal(now(), "1=1 2=0 3=1");
}

/* What is said on a connection that was open before. */
static void what_is_heard(void **state)
{
	(void)state;
	start(3);
	assert_false(pool_hear(&pool, 0, VERDICT_READY)); /* it may take no new connection */
	assert_int_equal(pool.server[0].state, SERVER_NEW);
	all_up();
	assert_false(pool_hear(&pool, 0, VERDICT_UNREADY));
	assert_false(pool_hear(&pool, 0, VERDICT_READY));
	assert_false(pool_hear(&pool, 0, VERDICT_UNREADY));
	assert_true(pool_hear(&pool, 0, VERDICT_UNREADY));
	assert_string_equal(now(), "1=0 2=1 3=1");
	assert_false(pool_hear(&pool, 0, VERDICT_READY));
	assert_true(pool_hear(&pool, 0, VERDICT_READY));
	assert_string_equal(now(), "1=1 2=1 3=1");
	report(1, VERDICT_FAILED, 1);
	assert_false(pool_hear(&pool, 1, VERDICT_READY)); /* ends no silence */
	assert_true(pool_report(&pool, 1, VERDICT_FAILED));
	assert_false(pool_hear(&pool, 1, VERDICT_READY));
	assert_false(pool_hear(&pool, 1, VERDICT_READY));
	assert_string_equal(now(), "1=1 3=1");
}

static void who_comes_back_begins_slowly(void **state)
{
	(void)state;
	start(3);
	pool.ramp_ms = 30000;
	all_up(); /* the first time is no recovery */
	assert_string_equal(now(), "1=1 2=1 3=1");
	report(0, VERDICT_DEAD, 1);
	assert_string_equal(now(), "2=1 3=1");
	report(0, VERDICT_READY, 2);
	assert_string_equal(now(), "1=1 2=8 3=8");
	assert_false(pool_ramp(&pool, 5000));
	assert_false(pool_ramp(&pool, 14999));
	assert_true(pool_ramp(&pool, 15000));
	assert_string_equal(now(), "1=2 2=8 3=8");
	assert_true(pool_ramp(&pool, 25000));
	assert_string_equal(now(), "1=4 2=8 3=8");
	report(1, VERDICT_DEAD, 1);
	assert_string_equal(now(), "1=4 3=8");
	report(2, VERDICT_DEAD, 1);
	assert_string_equal(now(), "1=1"); /* nobody to take the rest */
	assert_true(pool_ramp(&pool, 35000));
	assert_string_equal(now(), "1=1");
	assert_false(pool_ramp(&pool, 95000));
	pool.ramp_ms = 0;
	report(1, VERDICT_READY, 2);
	assert_string_equal(now(), "1=1 2=1");
}

static void nobody_up_and_some_answer(void **state)
{
	(void)state;
	start(3);
	all_up();
	report(0, VERDICT_UNREADY, 2);
	report(1, VERDICT_UNREADY, 2);
	assert_string_equal(now(), "1=0 2=0 3=1");
	report(2, VERDICT_DEAD, 1);
	assert_true(pool.failed_open);
	assert_string_equal(now(), "1=1 2=1");
	report(1, VERDICT_READY, 1); /* with nothing else, one good answer is enough */
	assert_false(pool.failed_open);
	assert_string_equal(now(), "1=0 2=1");
}

static void nobody_up_and_nobody_answers(void **state)
{
	(void)state;
	start(3);
	all_up();
	report(0, VERDICT_DEAD, 1);
	report(1, VERDICT_DEAD, 1);
	report(2, VERDICT_DEAD, 1);
	assert_string_equal(now(), "3=1"); /* the last one that was up */
	report(2, VERDICT_DEAD, 50);
	assert_string_equal(now(), "3=1");
	report(0, VERDICT_READY, 1);
	assert_string_equal(now(), "1=1");
}

static void nobody_was_ever_up(void **state)
{
	(void)state;
	start(3);
	report(0, VERDICT_DEAD, 1);
	assert_string_equal(now(), "2=1 3=1");
	report(1, VERDICT_DEAD, 1);
	report(2, VERDICT_DEAD, 1);
	assert_true(pool.failed_open);
	assert_string_equal(now(), "1=1 2=1 3=1");
	start(1);
	report(0, VERDICT_DEAD, 1);
	assert_string_equal(now(), "1=1");
}

/* The servers with these last parts, in this order; "0-12": where each was before. */
static const char *become(const char *parts)
{
	static char text[64];
	struct addr rs[8] = {{0}};
	int from[DESTS_MAX];
	size_t n = strlen(parts);

	for (size_t i = 0; i < n; i++)
		rs[i] = (struct addr){.family = AF_INET,
		                      .bytes = {10, 0, 0, (uint8_t)(parts[i] - '0')},
		                      .port = 6443};
	pool_set(&pool, rs, n, from);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		sprintf(text + strlen(text), "%s",
		        from[i] < 0 ? "-" : (char[]){(char)('0' + from[i]), 0});
	return text;
}

static void another_set(void **state)
{
	(void)state;
	start(3);
	all_up();
	report(1, VERDICT_UNREADY, 2);
	assert_string_equal(become("4321"), "-210"); /* states go with the servers */
	assert_string_equal(now(), "3=1 2=0 1=1");
	assert_true(pool_has(&pool, &pool.server[0].addr));
	assert_false(pool_report(&pool, 0, VERDICT_READY)); /* a new one has to prove itself */
	assert_true(pool_report(&pool, 0, VERDICT_READY));
	assert_string_equal(now(), "4=1 3=1 2=0 1=1");
	assert_string_equal(become("12"), "32");
	assert_string_equal(now(), "1=1 2=0");
	assert_int_equal(pool.n, 2);
	assert_string_equal(become("5"), "-"); /* nobody known: the new one, untried */
	assert_true(pool.n == 1 && !strcmp(now(), "5=1") && pool.failed_open);
	assert_true(pool_report(&pool, 0, VERDICT_READY));
	assert_false(pool_has(&pool, &(struct addr){.family = AF_INET}));
}

/* Whatever happens: somebody always takes new connections, and who is up always does. */
static void never_empty(void **state)
{
	static const enum verdict verdicts[] = {VERDICT_READY, VERDICT_UNREADY, VERDICT_FAILED,
	                                        VERDICT_DEAD};

	(void)state;
	srand(20261123);
	for (int run = 0; run < 300; run++) {
		start(1 + (size_t)rand() % 5);
		for (int step = 0; step < 300; step++) {
			unsigned weights = 0;

			pool_report(&pool, (size_t)rand() % pool.n, verdicts[rand() % 4]);
			pool_rules(&pool, &rules);
			for (size_t i = 0; i < rules.n; i++)
				weights += rules.dest[i].weight;
			assert_true(weights > 0);
			for (size_t i = 0; i < pool.n; i++)
				if (pool.server[i].state == SERVER_UP)
					assert_false(pool.failed_open);
		}
	}
}

static void who_leaves_is_drained_once_replaced(void **state)
{
	(void)state;
	start(2);
	all_up();
	pool.server[0].leaving = true;
	assert_true(pool_replaced(&pool));
	assert_string_equal(now(), "1=0 2=1");
	report(1, VERDICT_DEAD, 1);
	assert_false(pool_replaced(&pool));
	assert_string_equal(now(), "1=1"); /* better than none */
	report(1, VERDICT_READY, 2);
	assert_string_equal(now(), "1=0 2=1");
	report(1, VERDICT_DEAD, 1);
	report(0, VERDICT_DEAD, 1);
	assert_string_equal(now(), "1=1"); /* nobody is up: the last one that was */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_start_takes_nothing_away),
	    cmocka_unit_test(a_restart_changes_nothing),
	    cmocka_unit_test(dead_is_decided_at_once_silence_twice),
	    cmocka_unit_test(a_busy_server_is_drained_and_a_stuck_one_dead),
	    cmocka_unit_test(one_bad_answer_is_no_reason),
	    cmocka_unit_test(unready_is_drained_and_silent_after_that_is_down),
	    cmocka_unit_test(what_is_heard),
	    cmocka_unit_test(who_comes_back_begins_slowly),
	    cmocka_unit_test(nobody_up_and_some_answer),
	    cmocka_unit_test(nobody_up_and_nobody_answers),
	    cmocka_unit_test(nobody_was_ever_up),
	    cmocka_unit_test(another_set),
	    cmocka_unit_test(never_empty),
	    cmocka_unit_test(who_leaves_is_drained_once_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
