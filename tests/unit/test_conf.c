/* links: packager */
// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include "conf.h"
#include "err.h"
#include "strbuf.h"

#include <string.h>

static int parse(const char *text, struct conf *out, struct err *err)
{
	*err = (struct err){0};
	return conf_parse("x.conf", text, strlen(text), out, err);
}

static void reads_keys_and_values(void **state)
{
	auto_conf c = {0};
	struct err err;
	size_t at = 0;

	(void)state;
	assert_int_equal(parse("# comment\n\na = 1\nlong-key=  two words \t\na = 2", &c, &err), 0);
	assert_string_equal(conf_get(&c, "a"), "1");
	assert_string_equal(conf_get(&c, "long-key"), "two words");
	assert_string_equal(conf_next(&c, "a", &at), "1");
	assert_string_equal(conf_next(&c, "a", &at), "2");
	assert_null(conf_next(&c, "a", &at));
	assert_null(conf_get(&c, "b"));
}

static void names_the_bad_line(void **state)
{
	static const char *const bad[] = {"a = 1\nno equals\n", "a = 1\n= x\n",
	                                  "a = 1\nUpper = x\n", "a = 1\n a = 2\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct conf c = {0};
		struct err err;

		assert_int_equal(parse(bad[i], &c, &err), -1);
		assert_string_equal(err.msg, "x.conf:2: not of the form \"key = value\"");
		assert_null(c.v);
	}
}

static void refuses_nul_bytes(void **state)
{
	struct conf c = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(conf_parse("x", "a = b\0c\n", 8, &c, &err), -1);
	assert_string_equal(err.msg, "x:1: NUL byte");
}

static void says_what_is_missing(void **state)
{
	auto_conf c = {0};
	struct err err;

	(void)state;
	assert_int_equal(parse("empty =\n", &c, &err), 0);
	assert_null(conf_need(&c, "empty", &err));
	assert_string_equal(err.msg, "x.conf: \"empty\" is missing");
	assert_null(conf_need(&c, "none", &err));
}

static void writes_what_it_reads(void **state)
{
	auto_conf c = {0}, again = {0};
	auto_strbuf text = {0};
	struct err err;

	(void)state;
	conf_set(&c, "file", "/a b");
	conf_set(&c, "file", "");
	conf_write(&c, &text);
	assert_string_equal(text.buf, "file = /a b\nfile = \n");
	assert_int_equal(parse(text.buf, &again, &err), 0);
	assert_int_equal(again.n, 2);
	assert_string_equal(again.v[1].value, "");
}

static void expands_names(void **state)
{
	auto_conf vars = {0};
	auto_strbuf out = {0};
	struct err err = {0};

	(void)state;
	conf_set(&vars, "etcd-version", "v3");
	assert_int_equal(conf_expand(&vars, "t", "a@b @ETCD_VERSION@@ @lower@ @", &out, &err), 0);
	assert_string_equal(out.buf, "a@b v3@ @lower@ @");
	assert_int_equal(conf_expand(&vars, "t", "x @NO_SUCH@", &out, &err), -1);
	assert_string_equal(err.msg, "t: @NO_SUCH@ is not known");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_keys_and_values), cmocka_unit_test(names_the_bad_line),
	    cmocka_unit_test(refuses_nul_bytes),     cmocka_unit_test(says_what_is_missing),
	    cmocka_unit_test(writes_what_it_reads),  cmocka_unit_test(expands_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
