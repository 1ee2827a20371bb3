/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "mem.h"
#include "net.h"
#include "resolve.h"
#include "unit.h"

#include <string.h>

static const char *found(const char *text, const char *name, bool hosts, char buf[ADDR_STR_MAX])
{
	struct addr a = {0};
	struct err err = {0};

	if (resolve_parse(text, name, hosts, &a, &err) < 0) {
		assert_int_equal(err.code, EXIT_USAGE);
		return strstr(err.msg, "several") ? "several" : "none";
	}
	return addr_host(&a, buf);
}

static void names(void **state)
{
	static const char *const good[] = {"a", "node-1", "node1.example", "1a", "a_b.c", "a."};
	static const char *const bad[] = {
	    "",        "10.0.0.1",          "10",  "-a", "a-", ".a", "a b",
	    "fd00::1", "10.0.0.1-10.0.0.3", "1-2", "a/b"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(resolve_is_name(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(resolve_is_name(bad[i]));
}

static void getent(void **state)
{
	char b[ADDR_STR_MAX];

	(void)state;
	assert_string_equal(
	    found("10.0.0.1  STREAM n\n10.0.0.1 DGRAM\n10.0.0.1 RAW\n", "n", false, b), "10.0.0.1");
	assert_string_equal(found("fd00::1 STREAM n\n10.0.0.1 STREAM\n", "n", false, b),
	                    "10.0.0.1");
	assert_string_equal(found("fd00::1 STREAM n\n", "n", false, b), "fd00::1");
	assert_string_equal(found("10.0.0.1 STREAM\n10.0.0.2 STREAM\n", "n", false, b), "several");
	assert_string_equal(found("fd00::1 S\nfd00::2 S\n", "n", false, b), "several");
	/* IPv6 does not matter when there is one IPv4 address */
	assert_string_equal(found("fd00::1 S\nfd00::2 S\n10.0.0.1 S\n", "n", false, b), "10.0.0.1");
	/* an own name that also stands for the loopback address */
	assert_string_equal(found("127.0.1.1 S\n10.0.0.1 S\n", "n", false, b), "10.0.0.1");
	assert_string_equal(found("::1 S\n127.0.0.1 S\n", "n", false, b), "127.0.0.1");
	assert_string_equal(found("fe80::1%eth0 S\n\nx\n", "n", false, b), "none");
	assert_string_equal(found("", "n", false, b), "none");
}

static void hosts_file(void **state)
{
	static const char text[] =
	    "# 10.0.0.9 n\n10.0.0.1 a n # x\n10.0.0.2\tother\r\n  fd00::1 N\n";
	char b[ADDR_STR_MAX];

	(void)state;
	assert_string_equal(found(text, "n", true, b), "10.0.0.1");
	assert_string_equal(found(text, "OTHER", true, b), "10.0.0.2");
	assert_string_equal(found(text, "x", true, b), "none");
	assert_string_equal(found(text, "10.0.0.1", true, b), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(getent),
	    cmocka_unit_test(hosts_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
