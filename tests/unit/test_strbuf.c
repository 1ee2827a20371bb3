/* links: common */
// SPDX-License-Identifier: Apache-2.0
#include "mem.h"
#include "strbuf.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static void grows_and_terminates(void **state)
{
	auto_strbuf sb = {0};

	(void)state;
	assert_string_equal(strbuf_str(&sb), "");
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&sb, "%d,", i % 10);
	assert_int_equal(sb.len, 2000);
	assert_int_equal(strlen(sb.buf), 2000);
	strbuf_add(&sb, "a\0b", 3);
	assert_int_equal(sb.len, 2003);
	assert_memory_equal(sb.buf + 2000, "a\0b", 4);
}

static void consume_keeps_the_rest(void **state)
{
	auto_strbuf sb = {0};

	(void)state;
	strbuf_addstr(&sb, "one two");
	strbuf_consume(&sb, 4);
	assert_string_equal(sb.buf, "two");
	strbuf_consume(&sb, 100);
	assert_int_equal(sb.len, 0);
	assert_string_equal(strbuf_str(&sb), "");
}

static void detach_hands_over(void **state)
{
	struct strbuf sb = {0};
	auto_free char *empty = strbuf_detach(&sb);
	auto_free char *s = NULL;

	(void)state;
	assert_string_equal(empty, "");
	strbuf_addch(&sb, 'x');
	s = strbuf_detach(&sb);
	assert_string_equal(s, "x");
	assert_null(sb.buf);
}

static void list_is_ready_for_exec(void **state)
{
	auto_strlist l = {0};

	(void)state;
	strlist_add(&l, "b");
	strlist_addf(&l, "a%d", 1);
	assert_null(l.v[2]);
	strlist_sort(&l);
	assert_string_equal(l.v[0], "a1");
	assert_true(strlist_has(&l, "b"));
	assert_false(strlist_has(&l, "c"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(grows_and_terminates),
	    cmocka_unit_test(consume_keeps_the_rest),
	    cmocka_unit_test(detach_hands_over),
	    cmocka_unit_test(list_is_ready_for_exec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
