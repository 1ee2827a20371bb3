/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "clock.h"
#include "unit.h"

static void goes_on(void **state)
{
	uint64_t before = clock_ms();

	(void)state;
	assert_true(before > 0);
	assert_true(clock_ms() >= before);
}

static void spreads(void **state)
{
	unsigned seen[3] = {0};

	(void)state;
	assert_int_equal(clock_spread(0), 0);
	assert_int_equal(clock_spread(1), 0);
	for (int i = 0; i < 1000; i++) {
		uint32_t r = clock_spread(3);

		assert_true(r < 3);
		seen[r]++;
	}
	for (int i = 0; i < 3; i++)
		assert_true(seen[i] > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(goes_on),
	    cmocka_unit_test(spreads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
