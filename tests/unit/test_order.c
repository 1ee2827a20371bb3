/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "order.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static void fill(struct addr *rs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rs[i] = (struct addr){.family = AF_INET, .port = (uint16_t)i};
}

static void each_node_has_its_own(void **state)
{
	unsigned first[3] = {0};
	struct addr rs[3], again[3];

	(void)state;
	for (int node = 0; node < 3000; node++) {
		unsigned seen = 0;
		char name[16];

		snprintf(name, sizeof(name), "node%d", node);
		fill(rs, 3);
		fill(again, 3);
		order_for_node(rs, 3, name);
		order_for_node(again, 3, name);
		assert_memory_equal(rs, again, sizeof(rs));
		for (int i = 0; i < 3; i++)
			seen |= 1u << rs[i].port;
		assert_int_equal(seen, 7);
		first[rs[0].port]++;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(first[i], 900, 1100);
}

static void few_servers(void **state)
{
	struct addr one[1], here[3];

	(void)state;
	fill(one, 1);
	order_for_node(one, 0, "x");
	order_for_node(one, 1, "");
	assert_int_equal(one[0].port, 0);
	fill(here, 3);
	order_here(here, 3);
	assert_int_equal(here[0].port + here[1].port + here[2].port, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_node_has_its_own),
	    cmocka_unit_test(few_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
