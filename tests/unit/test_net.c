/* links: common */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "net.h"
#include "unit.h"

#include <string.h>

static void addresses_round_trip(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"10.0.0.1", "10.0.0.1:6443"},          {"10.0.0.1:22", "10.0.0.1:22"},
	    {"fd00::1", "[fd00::1]:6443"},          {"[fd00::1]", "[fd00::1]:6443"},
	    {"[fd00::1]:65535", "[fd00::1]:65535"},
	};
	char buf[ADDR_STR_MAX];
	struct err err = {0};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(addr_parse(cases[i].in, 6443, "--rs", &a, &err), 0);
		assert_string_equal(addr_str(&a, buf), cases[i].out);
	}
}

static void addresses_come_from_sockets(void **state)
{
	static const char *const cases[] = {"10.0.0.1:22", "[fd00::1]:65535", "127.0.0.1"};
	const struct sockaddr other = {.sa_family = AF_UNIX};
	struct sockaddr_storage ss;
	char buf[ADDR_STR_MAX];
	struct err err = {0};
	struct addr a, b;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(addr_parse(cases[i], 0, "--rs", &a, &err), 0);
		addr_sockaddr(&a, &ss);
		assert_true(addr_from_sockaddr((const struct sockaddr *)&ss, &b));
		assert_true(addr_eq(&a, &b));
		assert_string_equal(addr_str(&b, buf), cases[i]);
	}
	assert_false(addr_from_sockaddr(NULL, &b)); /* an interface without an address */
	assert_int_equal(b.family, 0);
	assert_false(addr_from_sockaddr(&other, &b));
	assert_int_equal(b.family, 0);
}

static void malformed_addresses(void **state)
{
	static const char *const cases[] = {
	    "",
	    "host",
	    "10.0.0.256",
	    "10.0.0.1:",
	    "10.0.0.1:0",
	    "10.0.0.1:x",
	    "10.0.0.1:65536",
	    "10.0.0.1:+1",
	    "[fd00::1",
	    "[fd00::1]x",
	    "[10.0.0.1]:1",
	    "10.0.0.1/24",
	    " 10.0.0.1",
	    "10.0.0.1:000001",
	};
	struct err err = {0};
	struct addr a = {0};
	char big[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(addr_parse(cases[i], 6443, "--rs", &a, &err), -1);
		assert_int_equal(err.code, EXIT_USAGE);
		assert_memory_equal(err.msg, "--rs: \"", 7);
		assert_int_equal(a.family, 0);
	}
	memset(big, '1', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(addr_parse(big, 1, "--vs", &a, &err), -1);
	assert_non_null(strstr(err.msg, "too long"));
}

static void networks(void **state)
{
	struct err err = {0};
	struct cidr svc, other;
	struct addr vip;

	(void)state;
	assert_int_equal(cidr_parse("10.96.0.0/12", "x", &svc, &err), 0);
	assert_int_equal(addr_parse("10.103.97.2:6443", 0, "x", &vip, &err), 0);
	assert_true(
	    cidr_contains(&svc, &vip)); /* the old default of others lies in the service range */
	assert_int_equal(addr_parse("169.254.97.2", 0, "x", &vip, &err), 0);
	assert_false(cidr_contains(&svc, &vip));
	assert_int_equal(cidr_parse("10.100.0.0/16", "x", &other, &err), 0);
	assert_true(cidr_overlaps(&svc, &other));
	assert_true(cidr_overlaps(&other, &svc));
	assert_int_equal(cidr_parse("10.244.0.0/16", "x", &other, &err), 0);
	assert_false(cidr_overlaps(&svc, &other));
	assert_int_equal(cidr_parse("0.0.0.0/0", "x", &other, &err), 0);
	assert_true(cidr_overlaps(&svc, &other));
	assert_int_equal(cidr_parse("fd00::/108", "x", &other, &err), 0);
	assert_false(cidr_overlaps(&svc, &other));
	assert_int_equal(cidr_parse("10.0.0.0/33", "--pod-cidr", &other, &err), -1);
	assert_non_null(strstr(err.msg, "0 to 32"));
	assert_int_equal(cidr_parse("10.0.0.0", "--pod-cidr", &other, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_round_trip),
	    cmocka_unit_test(addresses_come_from_sockets),
	    cmocka_unit_test(malformed_addresses),
	    cmocka_unit_test(networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
