/* links: common */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "unit.h"

#include <string.h>

static void set_and_wrap(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_set(&err, "open %s: no such file", "a"), -1);
	assert_string_equal(err.msg, "open a: no such file");
	assert_int_equal(err_exit(&err), EXIT_FAILED);
	assert_int_equal(err_wrap(&err, "node %d", 7), -1);
	assert_string_equal(err.msg, "node 7: open a: no such file");
}

static void code_survives_wrap(void **state)
{
	struct err err = {0};

	(void)state;
	err_set_code(&err, EXIT_BAD_BUNDLE, "truncated");
	err_wrap(&err, "bundle");
	assert_int_equal(err_exit(&err), EXIT_BAD_BUNDLE);
	assert_string_equal(err.msg, "bundle: truncated");
}

static void zeroed_counts_as_failed(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_exit(&err), EXIT_FAILED);
}

static void long_sentences_are_cut(void **state)
{
	struct err err = {0};
	char big[4000];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_set(&err, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	err_wrap(&err, "%s", "context");
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_memory_equal(err.msg, "context: xxx", 12);
	err_wrap(&err, "%s", big);
	assert_true(strlen(err.msg) < sizeof(err.msg));
	assert_memory_equal(err.msg, "xxxxxxxx", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(set_and_wrap),
	    cmocka_unit_test(code_survives_wrap),
	    cmocka_unit_test(zeroed_counts_as_failed),
	    cmocka_unit_test(long_sentences_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
