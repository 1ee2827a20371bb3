/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "host.h"
#include "mem.h"
#include "unit.h"

#include <string.h>

static void forms(void **state)
{
	struct hostlist l = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(hostlist_add(&l, "10.0.0.1", true, &err), 0);
	assert_int_equal(hostlist_add(&l, "10.0.0.12:2222", false, &err), 0);
	assert_int_equal(hostlist_add(&l, "fd00::1", false, &err), 0);
	assert_int_equal(hostlist_add(&l, "[fd00::2]:2222", false, &err), 0);
	assert_int_equal(l.n, 4);
	assert_string_equal(l.v[0].name, "10.0.0.1");
	assert_int_equal(l.v[0].addr.port, 22);
	assert_true(l.v[0].master);
	assert_string_equal(l.v[1].name, "10.0.0.12:2222");
	assert_string_equal(l.v[2].name, "fd00::1");
	assert_string_equal(l.v[3].name, "[fd00::2]:2222");
	assert_int_equal(hostlist_masters(&l), 1);
	hostlist_release(&l);
}

static void ranges(void **state)
{
	struct hostlist l = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(hostlist_add(&l, "10.0.0.254-10.0.1.1", true, &err), 0);
	assert_int_equal(l.n, 4);
	assert_string_equal(l.v[1].name, "10.0.0.255");
	assert_string_equal(l.v[3].name, "10.0.1.1");
	assert_int_equal(hostlist_add(&l, "10.9.0.1-10.9.0.2:2222", false, &err), 0);
	assert_string_equal(l.v[4].name, "10.9.0.1:2222");
	hostlist_release(&l);
	assert_int_equal(hostlist_add(&l, "255.255.255.255-255.255.255.255", false, &err), 0);
	assert_int_equal(l.n, 1);
	hostlist_release(&l);
}

static void refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "no-such-host.invalid",
	    "no-such-host.invalid:x",
	    "10.0.0",
	    "10.0.0.1-b",
	    "@10.0.0.1",
	    "a..example-",
	    "10.0.0.3-10.0.0.1",
	    "10.0.0.1-",
	    "-10.0.0.1",
	    "10.0.0.1-11.0.0.1",
	    "fd00::1-fd00::2",
	    "10.0.0.1:0x16",
	    "10.0.0.1:70000",
	    "10.0.0.1 ",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct hostlist l = {0};
		struct err err = {0};

		assert_int_equal(hostlist_add(&l, bad[i], true, &err), -1);
		assert_int_equal(err.code, EXIT_USAGE);
		assert_non_null(strstr(err.msg, "--master"));
		hostlist_release(&l);
	}
}

static void twice(void **state)
{
	struct hostlist l = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(hostlist_add(&l, "10.0.0.1-10.0.0.5", true, &err), 0);
	assert_int_equal(hostlist_add(&l, "10.0.0.3", false, &err), -1);
	assert_string_equal(err.msg, "10.0.0.3: named twice");
	/* another port is another machine behind the same address */
	assert_int_equal(hostlist_add(&l, "10.0.0.3:2222", false, &err), 0);
	hostlist_release(&l);
}

static void own_addresses_are_local(void **state)
{
	struct hostlist l = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(hostlist_add(&l, "127.0.0.1", true, &err), 0);
	assert_int_equal(hostlist_add(&l, "127.0.0.1:2222", false, &err), 0);
	assert_int_equal(hostlist_add(&l, "192.0.2.77", false, &err), 0);
	assert_int_equal(hostlist_mark_local(&l, &err), 0);
	assert_true(l.v[0].local);
	assert_false(l.v[1].local);
	assert_false(l.v[2].local);
	hostlist_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forms),
	    cmocka_unit_test(ranges),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(twice),
	    cmocka_unit_test(own_addresses_are_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
