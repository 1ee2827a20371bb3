/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "health/pool.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pool pool;
static struct rules rules;
static uint64_t clock_now;

static struct addr address(unsigned last)
{
	return (struct addr){.family = AF_INET, .bytes = {10, 0, 0, (uint8_t)last}, .port = 6443};
}

static void start(size_t n)
{
	struct addr rs[8] = {{0}};

	for (size_t i = 0; i < n; i++)
		rs[i] = address((unsigned)i + 1);
	pool_release(&pool);
	clock_now = 100000;
	pool_init(&pool, rs, n, 2, 2, clock_now);
}

/* "1=1 3=0": last part of each server's address and its weight. */
static const char *weights(void)
{
	static char text[64];
	size_t len = 0;

	pool_rules(&pool, &rules, clock_now);
	text[0] = '\0';
	for (size_t i = 0; i < rules.n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u=%u", i ? " " : "",
		                        rules.dest[i].addr.bytes[3], rules.dest[i].weight);
	return text;
}

/* The last of so many results; witnessed ones. */
static bool probed(size_t i, enum verdict v, int times)
{
	bool changed = false;

	while (times--) {
		changed = pool_probed(&pool, pool.server[i], v, true, clock_now);
		pool_rules(&pool, &rules, clock_now);
	}
	return changed;
}

static bool kept(size_t i, enum kept_result k, enum verdict v)
{
	return pool_kept(&pool, pool.server[i], k, v, clock_now);
}

static enum server_state state_of(size_t i)
{
	return pool.server[i]->state;
}

static void all_up(void)
{
	for (size_t i = 0; i < pool.n; i++) {
		probed(i, VERDICT_READY, 1);
		pool.server[i]->kept_sign = KEPT_ANSWERS;
	}
}

/* One row of the table in pool.h: events by a letter each, and the state after them. */
static void take_event(size_t i, char e)
{
	struct server *s = pool.server[i];

	switch (e) {
	case 'r':
		pool_probed(&pool, s, VERDICT_READY, true, clock_now);
		return;
	case 'u':
		pool_probed(&pool, s, VERDICT_UNREADY, true, clock_now);
		return;
	case 'l':
		pool_probed(&pool, s, VERDICT_LATE, true, clock_now);
		return;
	case 's':
		pool_probed(&pool, s, VERDICT_SILENT, true, clock_now);
		return;
	case 'S': /* nobody else was heard either */
		pool_probed(&pool, s, VERDICT_SILENT, false, clock_now);
		return;
	case 'b':
		pool_probed(&pool, s, VERDICT_BAD, true, clock_now);
		return;
	case 'x':
		pool_probed(&pool, s, VERDICT_REFUSED, true, clock_now);
		return;
	case 'X':
		pool_probed(&pool, s, VERDICT_REFUSED, false, clock_now);
		return;
	case 'o':
		pool_probed(&pool, s, VERDICT_LOCAL, true, clock_now);
		return;
	case 'y':
		pool_syn_late(&pool, s, clock_now);
		return;
	case 'R':
		pool_kept(&pool, s, KEPT_ANSWERED, VERDICT_READY, clock_now);
		return;
	case 'U':
		pool_kept(&pool, s, KEPT_ANSWERED, VERDICT_UNREADY, clock_now);
		return;
	case 'N':
		pool_kept(&pool, s, KEPT_NO_ACK, VERDICT_SILENT, clock_now);
		return;
	case 'T':
		pool_kept(&pool, s, KEPT_TIMEOUT, VERDICT_LATE, clock_now);
		return;
	case 'C':
		pool_kept(&pool, s, KEPT_CLOSED, VERDICT_SILENT, clock_now);
		return;
	default:
		fail_msg("no event %c", e);
	}
}

static void the_table(void **state)
{
	static const struct {
		const char *events; /* from up, with a kept connection that answers */
		enum server_state then;
	} rows[] = {
	    {"r", SERVER_UP},
	    {"u", SERVER_UP},
	    {"uu", SERVER_UNREADY},
	    {"Nu", SERVER_UNREADY},
	    {"UU", SERVER_UNREADY},
	    {"uurr", SERVER_UP},
	    {"uuRR", SERVER_UP},
	    {"uur", SERVER_UNREADY},
	    /* while the kept connection answers nothing deletes the server */
	    {"s", SERVER_SUSPECT},
	    {"sssssssss", SERVER_SUSPECT},
	    {"bbbbbbbbb", SERVER_SUSPECT},
	    {"xxxxxxxxx", SERVER_SUSPECT},
	    {"llllllllllllllllll", SERVER_OVERLOADED},
	    {"sRsRsR", SERVER_SUSPECT}, /* what answers there takes no new connections */
	    {"xRRR", SERVER_SUSPECT},
	    {"xRRRr", SERVER_UP},
	    {"ssr", SERVER_UP},
	    /* faults of this node say nothing */
	    {"oooooooo", SERVER_UP},
	    {"NoooooooR", SERVER_UP},
	    {"CSSSSSSSS", SERVER_SUSPECT}, /* nobody else is heard */
	    {"NSSSSSSSS", SERVER_SUSPECT},
	    {"NXXXXXXXX", SERVER_SUSPECT}, /* refused, and the kept connection is still there */
	    /* suspicion drains */
	    {"N", SERVER_SUSPECT},
	    {"NR", SERVER_UP}, /* it was only late */
	    {"Nr", SERVER_UP},
	    {"y", SERVER_SUSPECT},
	    {"yR", SERVER_SUSPECT}, /* the probe is still under way */
	    {"yr", SERVER_UP},
	    {"C", SERVER_UP}, /* a probe follows at once */
	    {"Cb", SERVER_SUSPECT},
	    /* proof deletes */
	    {"Cx", SERVER_DOWN},
	    {"xC", SERVER_DOWN},
	    {"CX", SERVER_DOWN},
	    {"Nx", SERVER_DOWN},
	    {"Ns", SERVER_DOWN},
	    {"Cs", SERVER_SUSPECT},
	    {"Css", SERVER_DOWN},
	    {"Cbb", SERVER_DOWN},
	    {"Csb", SERVER_DOWN},
	    {"NSs", SERVER_DOWN}, /* another was heard in the end */
	    {"Tl", SERVER_OVERLOADED},
	    {"Tlllllll", SERVER_DOWN},
	    {"Tllllll", SERVER_OVERLOADED},
	    {"Tlu", SERVER_UNREADY},
	    {"TlR", SERVER_OVERLOADED},
	    {"Tlr", SERVER_OVERLOADED},
	    {"Tlrr", SERVER_UP},
	    {"uuCss", SERVER_DOWN},
	    {"uuCx", SERVER_DOWN},
	    /* and back */
	    {"Cxr", SERVER_DOWN},
	    {"Cxrr", SERVER_UP},
	    {"Cxu", SERVER_UNREADY},
	    {"Cxl", SERVER_DOWN},
	    {"Cxrsr", SERVER_DOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(2);
		all_up();
		for (const char *e = rows[i].events; *e; e++)
			take_event(0, *e);
		if (state_of(0) != rows[i].then)
			fail_msg("%s: is %s, not %s", rows[i].events,
			         server_state_name(state_of(0)), server_state_name(rows[i].then));
		assert_int_equal(state_of(1), SERVER_UP);
	}
}

static void a_start_takes_nothing_away(void **state)
{
	(void)state;
	start(3);
	assert_string_equal(weights(), "1=1 2=1 3=1");
	assert_true(pool_in_transition(&pool, pool.server[0]));
	for (int n = 0; n < 5; n++) /* this node's network may not be there yet */
		assert_false(pool_probed(&pool, pool.server[0], VERDICT_SILENT, false, clock_now));
	assert_int_equal(state_of(0), SERVER_NEW);
	all_up();
	assert_int_equal(state_of(0), SERVER_UP); /* one good answer is enough here */
	assert_false(pool_in_transition(&pool, pool.server[0]));
	start(2);
	assert_true(probed(0, VERDICT_REFUSED, 1));
	assert_true(probed(1, VERDICT_SILENT, 2));
	assert_true(pool_all_lost(&pool));
}

/* table: weights of the servers 1, 2 and so on; -1: not in it */
static void start_from(const int *table, size_t n)
{
	struct rules_view v = {.n = 0};

	start(n);
	pool.ramp_ms = 10000;
	for (size_t i = 0; i < n; i++)
		if (table[i] >= 0)
			v.dest[v.n++] = (struct rules_seen){.addr = pool.server[i]->addr,
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
		assert_string_equal(weights(), cases[i].rules);
		all_up();
		all_up();
		assert_string_equal(weights(), cases[i].all_up);
	}
	/* one bad answer more leaves it where it was, and the black hole does not come back */
	start_from((int[]){1, -1, 1}, 3);
	probed(0, VERDICT_READY, 1);
	probed(1, VERDICT_SILENT, 1);
	assert_string_equal(weights(), "1=1 3=1");
}

/* Outgoing SYNs are dropped: all new connections fail, all kept ones answer. */
static void a_fault_of_this_node_changes_nothing(void **state)
{
	(void)state;
	start(3);
	all_up();
	for (int round = 0; round < 10; round++)
		for (size_t i = 0; i < 3; i++) {
			take_event(i, 'y');
			take_event(i, round % 2 ? 's' : 'x');
			take_event(i, 'R');
			if (round > 0 || i == 2)
				assert_string_equal(weights(), "1=1 2=1 3=1");
		}
	assert_true(pool.failed_open);
	for (size_t i = 0; i < 3; i++)
		take_event(i, 'r');
	assert_string_equal(weights(), "1=1 2=1 3=1");
	assert_false(pool.failed_open);
	probed(0, VERDICT_SILENT, 5); /* for one alone: new ones go elsewhere, it stays */
	assert_string_equal(weights(), "1=0 2=1 3=1");
}

/* The node's own cable: nothing is acknowledged, and nothing is heard of anybody. */
static void a_cut_off_node_keeps_all(void **state)
{
	(void)state;
	start(3);
	all_up();
	for (size_t i = 0; i < 3; i++)
		take_event(i, 'N');
	assert_false(pool_all_lost(&pool)); /* a mere suspicion */
	for (int n = 0; n < 20; n++) {
		clock_now += 1000;
		for (size_t i = 0; i < 3; i++)
			take_event(i, 'S');
		assert_string_equal(weights(), "1=1 2=1 3=1");
	}
	assert_true(pool_all_lost(&pool));
	take_event(1, 'r'); /* the others are back as well, as far as one can tell */
	assert_string_equal(weights(), "1=1 2=1 3=1");
	take_event(0, 'r');
	assert_int_equal(state_of(0), SERVER_UP);
	clock_now += RETURN_MS;
	assert_true(pool_tick(&pool, clock_now));
	assert_string_equal(weights(), "1=1 2=1 3=0");
}

static void who_comes_back_begins_slowly(void **state)
{
	uint64_t t = 100000;

	(void)state;
	start(3);
	pool.ramp_ms = 30000;
	all_up(); /* the first time is no recovery */
	assert_string_equal(weights(), "1=1 2=1 3=1");
	take_event(0, 'N');
	take_event(0, 'R'); /* nor is the end of a suspicion */
	assert_string_equal(weights(), "1=1 2=1 3=1");
	take_event(0, 'C');
	take_event(0, 'x');
	probed(0, VERDICT_READY, 2);
	assert_string_equal(weights(), "1=1 2=8 3=8");
	assert_false(pool_tick(&pool, t + 9999));
	assert_true(pool_tick(&pool, t + 10000));
	assert_string_equal(weights(), "1=2 2=8 3=8");
	take_event(0, 'N');
	assert_string_equal(weights(), "1=0 2=1 3=1");
	take_event(0, 'R');
	assert_string_equal(weights(), "1=2 2=8 3=8");
	assert_true(pool_tick(&pool, t + 20000));
	assert_string_equal(weights(), "1=4 2=8 3=8");
	take_event(1, 'C');
	take_event(1, 'x');
	assert_string_equal(weights(), "1=4 3=8");
	take_event(2, 'C');
	take_event(2, 'x');
	assert_string_equal(weights(), "1=1"); /* nobody to take the rest */
	assert_true(pool_tick(&pool, t + 30000));
	assert_string_equal(weights(), "1=1");
	assert_false(pool_tick(&pool, t + 95000));
	pool.ramp_ms = 0;
	probed(1, VERDICT_READY, 2);
	assert_string_equal(weights(), "1=1 2=1");
}

static void nobody_up_and_some_answer(void **state)
{
	(void)state;
	start(3);
	all_up();
	probed(0, VERDICT_UNREADY, 2);
	probed(1, VERDICT_UNREADY, 2);
	assert_string_equal(weights(), "1=0 2=0 3=1");
	take_event(2, 'C');
	take_event(2, 'x');
	assert_string_equal(weights(), "1=1 2=1");
	assert_true(pool.failed_open && pool_all_lost(&pool));
	probed(1, VERDICT_READY, 1); /* with nothing else, one good answer is enough */
	assert_false(pool.failed_open);
	assert_string_equal(weights(), "1=1 2=1"); /* for a moment: it may be back as well */
	probed(0, VERDICT_UNREADY, 1);
	assert_string_equal(weights(), "1=0 2=1");
}

static void kill_all(uint64_t pause)
{
	for (size_t i = 0; i < pool.n; i++) {
		clock_now += pause;
		take_event(i, 'C');
		take_event(i, 'x');
	}
}

static void all_that_were_up_a_moment_ago_stay(void **state)
{
	(void)state;
	start(3);
	all_up();
	kill_all(3000);
	assert_string_equal(weights(), "1=1 2=1 3=1");
	probed(2, VERDICT_REFUSED, 50);
	clock_now += 60000;
	assert_string_equal(weights(), "1=1 2=1 3=1");
	probed(0, VERDICT_READY, 1);
	probed(1, VERDICT_REFUSED, 1);
	probed(2, VERDICT_REFUSED, 1);
	assert_string_equal(weights(), "1=1");
	clock_now += 60000; /* who went long ago is not asked for */
	take_event(0, 'C');
	take_event(0, 'x');
	assert_string_equal(weights(), "1=1");
	start(3);
	all_up();
	kill_all(6000); /* 12, 6 and 0 s before the end */
	assert_string_equal(weights(), "2=1 3=1");
}

/* Back within RETURN_MS, each by one answer and with its whole share. */
static void they_come_back_together(void **state)
{
	(void)state;
	start(3);
	pool.ramp_ms = 30000;
	all_up();
	kill_all(100);
	clock_now += 20000;
	assert_string_equal(weights(), "1=1 2=1 3=1");
	take_event(1, 'r');
	assert_string_equal(weights(), "1=1 2=1 3=1");
	clock_now += 400;
	take_event(0, 'r');
	assert_int_equal(state_of(0), SERVER_UP);
	assert_false(pool_tick(&pool, clock_now));
	take_event(2, 'x'); /* not this one, which had and has no state to change */
	assert_true(pool_tick(&pool, clock_now));
	assert_string_equal(weights(), "1=1 2=1");
	assert_false(pool_tick(&pool, clock_now));
	clock_now += 600;
	assert_false(pool_tick(&pool, clock_now));
	probed(2, VERDICT_READY, 1);
	assert_int_equal(state_of(2), SERVER_DOWN);
	probed(2, VERDICT_READY, 1);
	assert_string_equal(weights(), "1=8 2=8 3=1");
}

static void nobody_was_ever_up(void **state)
{
	(void)state;
	start(3);
	probed(0, VERDICT_REFUSED, 1);
	assert_string_equal(weights(), "2=1 3=1");
	probed(1, VERDICT_REFUSED, 1);
	probed(2, VERDICT_REFUSED, 1);
	assert_true(pool.failed_open);
	assert_string_equal(weights(), "1=1 2=1 3=1");
	start(1);
	probed(0, VERDICT_REFUSED, 1);
	assert_string_equal(weights(), "1=1");
}

/* The servers with these last parts from now on. */
static void become(const char *parts)
{
	struct addr rs[8] = {{0}};
	size_t n = strlen(parts);

	for (size_t i = 0; i < n; i++)
		rs[i] = address((unsigned)(parts[i] - '0'));
	pool_set(&pool, rs, n, clock_now);
}

static void another_set(void **state)
{
	struct addr none = {.family = AF_INET};
	struct server *three;
	uint32_t slot;

	(void)state;
	start(3);
	all_up();
	probed(1, VERDICT_UNREADY, 2);
	three = pool.server[2];
	slot = three->slot;
	become("4321"); /* states go with the servers */
	assert_string_equal(weights(), "3=1 2=0 1=1");
	assert_ptr_equal(pool_by_slot(&pool, slot), three);
	assert_ptr_equal(pool_find(&pool, &three->addr), three);
	assert_false(probed(3, VERDICT_READY, 1)); /* a new one has to prove itself */
	assert_true(probed(3, VERDICT_READY, 1));
	assert_string_equal(weights(), "3=1 2=0 1=1 4=1");
	become("12");
	assert_string_equal(weights(), "1=1 2=0");
	assert_int_equal(pool.n, 2);
	become("125");
	assert_true(pool.server[2]->slot != pool.server[0]->slot &&
	            pool.server[2]->slot != pool.server[1]->slot);
	become("5"); /* nobody known: the new one, untried */
	assert_true(pool.n == 1 && !strcmp(weights(), "5=1") && pool.failed_open);
	assert_true(probed(0, VERDICT_READY, 1));
	assert_null(pool_find(&pool, &none));
	assert_null(pool_by_slot(&pool, 77));
}

/* Whatever happens: something always takes new connections, and what is up always does. */
static void never_empty(void **state)
{
	static const char events[] = "ruulsSbxXoyRUNTC";

	(void)state;
	srand(20261123);
	for (int run = 0; run < 300; run++) {
		start(1 + (size_t)rand() % 5);
		for (int step = 0; step < 300; step++) {
			unsigned sum = 0;
			size_t i = (size_t)rand() % pool.n;

			clock_now += (unsigned)rand() % 500;
			take_event(i, events[(size_t)rand() % (sizeof(events) - 1)]);
			pool_tick(&pool, clock_now);
			pool_rules(&pool, &rules, clock_now);
			for (size_t j = 0; j < rules.n; j++)
				sum += rules.dest[j].weight;
			assert_true(sum > 0);
			for (size_t j = 0; j < pool.n; j++) {
				if (state_of(j) == SERVER_UP)
					assert_false(pool.failed_open);
				if (state_of(j) != SERVER_DOWN) /* only proof removes */
					assert_true(rules_have(&rules, &pool.server[j]->addr));
			}
		}
	}
}

static void what_is_asked_on_the_kept_connection(void **state)
{
	(void)state;
	start(3);
	assert_false(kept(0, KEPT_ANSWERED, VERDICT_READY)); /* it may take no new connection */
	assert_int_equal(state_of(0), SERVER_NEW);
	all_up();
	assert_false(kept(0, KEPT_ANSWERED, VERDICT_UNREADY));
	assert_false(kept(0, KEPT_ANSWERED, VERDICT_READY));
	assert_false(kept(0, KEPT_ANSWERED, VERDICT_UNREADY));
	assert_true(kept(0, KEPT_ANSWERED, VERDICT_UNREADY));
	assert_false(kept(0, KEPT_IDLE, VERDICT_READY));
	assert_string_equal(weights(), "1=0 2=1 3=1");
	assert_true(pool_in_transition(&pool, pool.server[0]) == false);
	assert_false(kept(0, KEPT_ANSWERED, VERDICT_READY));
	assert_true(pool_in_transition(&pool, pool.server[0]));
	assert_true(kept(0, KEPT_ANSWERED, VERDICT_READY));
	assert_string_equal(weights(), "1=1 2=1 3=1");
}

static int end(void **state)
{
	(void)state;
	pool_release(&pool);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_table),
	    cmocka_unit_test(a_start_takes_nothing_away),
	    cmocka_unit_test(a_restart_changes_nothing),
	    cmocka_unit_test(a_fault_of_this_node_changes_nothing),
	    cmocka_unit_test(a_cut_off_node_keeps_all),
	    cmocka_unit_test(who_comes_back_begins_slowly),
	    cmocka_unit_test(nobody_up_and_some_answer),
	    cmocka_unit_test(all_that_were_up_a_moment_ago_stay),
	    cmocka_unit_test(they_come_back_together),
	    cmocka_unit_test(nobody_was_ever_up),
	    cmocka_unit_test(another_set),
	    cmocka_unit_test(never_empty),
	    cmocka_unit_test(what_is_asked_on_the_kept_connection),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
