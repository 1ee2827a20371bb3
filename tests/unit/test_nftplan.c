/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "addrs.h"
#include "err.h"
#include "kernel/nftplan.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

/* Rules with these weights, servers 10.0.0.1 and so on. */
static struct rules rules_of(const unsigned *weights, size_t n)
{
	struct rules r = {.vs = server("169.254.97.2"), .scheduler = "wrr", .n = n};

	for (size_t i = 0; i < n; i++) {
		r.dest[i].addr = server("10.0.0.1");
		r.dest[i].addr.bytes[3] = (uint8_t)(i + 1);
		r.dest[i].weight = weights[i];
	}
	return r;
}

/* The slots' servers by their last number, such as "1 2 1". */
static const char *slots(const struct nftplan *p)
{
	static char text[NFT_SLOTS_MAX * 4];
	size_t len = 0;

	for (size_t i = 0; i < p->n_slots; i++)
		len += (size_t)sprintf(text + len, "%s%u", i ? " " : "", p->slot[i].bytes[3]);
	text[len] = '\0';
	return text;
}

static void names(void **state)
{
	static const char *const cases[][2] = {
	    {"169.254.97.2:6443", "lvscare-169.254.97.2-6443"},
	    {"[fd97::2]:443", "lvscare-fd97..2-443"},
	    {"[fd97:1:2:3:4:5:6:7]:65535", "lvscare-fd97.1.2.3.4.5.6.7-65535"},
	};
	static const char *const others[] = {"lvscare",
	                                     "lvscare-169.254.97.2-",
	                                     "filter",
	                                     "lvscare-169.254.97.2-0",
	                                     "lvscare-169.254.97.2-65536",
	                                     "lvscare-169.254.97.3-6443",
	                                     "lvscare-169.254.97.2-6443x"};
	char name[NFT_TABLE_MAX];
	struct addr host = server("169.254.97.2");
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct addr vs = server(cases[i][0]);

		nftplan_name(name, &vs);
		assert_string_equal(name, cases[i][1]);
		assert_true(nftplan_port(name, &vs, &port));
		assert_int_equal(port, vs.port);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (nftplan_port(others[i], &host, &port))
			fail_msg("%s", others[i]);
}

static void weights_are_slots(void **state)
{
	static const struct {
		unsigned weight[4];
		size_t n;
		const char *slots;
		size_t drained;
	} cases[] = {
	    {{1, 1, 1}, 3, "1 2 3", 0},
	    {{8, 8, 1}, 3, "1 2 3 1 2 1 2 1 2 1 2 1 2 1 2 1 2", 0},
	    {{8, 4, 8}, 3, "1 2 3 1 3", 0},
	    {{5, 5, 0}, 3, "1 2", 1},
	    {{0, 7}, 2, "2", 1},
	    {{0, 0}, 2, "", 2},
	    {{0}, 0, "", 0},
	    {{1000000, 1000001}, 2, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rules r = rules_of(cases[i].weight, cases[i].n);
		struct nftplan p;

		nftplan_make(&p, &r);
		assert_int_equal(p.n_drained, cases[i].drained);
		if (cases[i].slots)
			assert_string_equal(slots(&p), cases[i].slots);
		assert_true(p.n_slots <= NFT_SLOTS_MAX);
	}
}

static void as_many_as_there_can_be(void **state)
{
	unsigned weights[DESTS_MAX];
	struct rules_view view;
	struct nftplan p;
	struct rules r;

	(void)state;
	for (size_t i = 0; i < DESTS_MAX; i++)
		weights[i] = i % 2 ? 8 : 1;
	r = rules_of(weights, DESTS_MAX);
	nftplan_make(&p, &r);
	assert_true(p.n_slots <= NFT_SLOTS_MAX);
	nftplan_view(&p, &view);
	assert_int_equal(view.n, DESTS_MAX); /* nobody is lost */
	assert_true(view.dest[1].weight > view.dest[0].weight);
}

static void a_view(void **state)
{
	static const unsigned weights[] = {2, 0, 4};
	struct rules r = rules_of(weights, 3);
	struct rules_view v;
	struct nftplan p;

	(void)state;
	nftplan_make(&p, &r);
	nftplan_view(&p, &v);
	assert_int_equal(v.n, 3);
	assert_string_equal(v.scheduler, "wrr");
	assert_int_equal(v.dest[0].weight, 1);
	assert_int_equal(v.dest[1].weight, 2);
	assert_int_equal(v.dest[1].addr.bytes[3], 3);
	assert_int_equal(v.dest[2].weight, 0);
	r.scheduler = "sh";
	nftplan_make(&p, &r);
	nftplan_view(&p, &v);
	assert_string_equal(v.scheduler, "sh");
}

static void plans_differ(void **state)
{
	static const unsigned one[] = {1, 1, 0, 0}, weighed[] = {1, 2, 0, 0}, less[] = {1, 1, 0};
	struct rules r = rules_of(one, 4);
	struct nftplan a, b;
	struct addr first;

	(void)state;
	nftplan_make(&a, &r);
	b = a;
	b.drained[0] = a.drained[1];
	b.drained[1] = a.drained[0];
	assert_true(nftplan_same(&a, &b)); /* the kernel tells them in any order */
	b.drained[1] = b.drained[0];
	assert_false(nftplan_same(&a, &b));
	r = rules_of(weighed, 4);
	nftplan_make(&b, &r);
	assert_false(nftplan_same(&a, &b));
	r = rules_of(less, 3);
	nftplan_make(&b, &r);
	assert_false(nftplan_same(&a, &b));
	b = a;
	first = b.slot[0];
	b.slot[0] = b.slot[1];
	b.slot[1] = first;
	assert_false(nftplan_same(&a, &b));
	b = a;
	b.by_source = true;
	assert_false(nftplan_same(&a, &b));
	b = a;
	b.vs.port++;
	assert_false(nftplan_same(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),        cmocka_unit_test(weights_are_slots),
	    cmocka_unit_test(a_view),       cmocka_unit_test(as_many_as_there_can_be),
	    cmocka_unit_test(plans_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
