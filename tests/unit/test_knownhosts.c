/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "knownhosts.h"
#include "mem.h"
#include "net.h"
#include "unit.h"

#include <string.h>

/* The wire form of a key of type ssh-ed25519 whose 32 bytes are all 'A', and its base64. */
#define BLOB                           \
	"\0\0\0\x0bssh-ed25519\0\0\0 " \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY   "AAAAC3NzaC1lZDI1NTE5AAAAIEFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"
#define OTHER "AAAAC3NzaC1lZDI1NTE5AAAAIEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC"

static const struct hostkey key = {BLOB, sizeof(BLOB) - 1};

static enum host_verdict judge(const char *host, const char *text)
{
	struct addr a;
	struct err err = {0};

	assert_int_equal(addr_parse(host, 22, "", &a, &err), 0);
	return knownhosts_judge(text, strlen(text), &a, &key);
}

static void names(void **state)
{
	(void)state;
	assert_int_equal(judge("10.0.0.1", "10.0.0.1 ssh-ed25519 " KEY "\n"), HOST_KNOWN);
	assert_int_equal(judge("10.0.0.1", "10.0.0.1 ssh-ed25519 " KEY), HOST_KNOWN);
	assert_int_equal(judge("10.0.0.1", "10.0.0.1\tssh-ed25519 " KEY " comment here\r\n"),
	                 HOST_KNOWN);
	assert_int_equal(judge("10.0.0.1", "a,10.0.0.1,b ssh-ed25519 " KEY "\n"), HOST_KNOWN);
	assert_int_equal(judge("10.0.0.1", "10.0.0.* ssh-ed25519 " KEY "\n"), HOST_KNOWN);
	assert_int_equal(judge("10.0.0.1", "10.0.0.*,!10.0.0.1 ssh-ed25519 " KEY "\n"),
	                 HOST_UNKNOWN);
	assert_int_equal(judge("10.0.0.12", "10.0.0.1 ssh-ed25519 " KEY "\n"), HOST_UNKNOWN);
	assert_int_equal(judge("fd00::1", "fd00::1 ssh-ed25519 " KEY "\n"), HOST_KNOWN);
	assert_int_equal(judge("10.0.0.1:2222", "[10.0.0.1]:2222 ssh-ed25519 " KEY "\n"),
	                 HOST_KNOWN);
	assert_int_equal(judge("[fd00::1]:2222", "[fd00::1]:2222 ssh-ed25519 " KEY "\n"),
	                 HOST_KNOWN);
	/* brackets are no set of characters, another port is another machine */
	assert_int_equal(judge("10.0.0.1:2222", "10.0.0.1 ssh-ed25519 " KEY "\n"), HOST_UNKNOWN);
	assert_int_equal(judge("10.0.0.1", "[10.0.0.1]:2222 ssh-ed25519 " KEY "\n"), HOST_UNKNOWN);
}

static void hashed(void **state)
{
	/* made by ssh-keygen -H from "10.0.0.1 ssh-ed25519 ..." */
	static const char line[] =
	    "|1|8LwE+gZGf9mWdquhX8oljvySL+Y=|nyiWNFwW4oTfCLepGtJl8rQjyXo= ssh-ed25519 " KEY "\n";

	(void)state;
	assert_int_equal(judge("10.0.0.1", line), HOST_KNOWN);
	assert_int_equal(judge("10.0.0.2", line), HOST_UNKNOWN);
}

static void other_keys(void **state)
{
	(void)state;
	assert_int_equal(judge("10.0.0.1", "10.0.0.1 ssh-ed25519 " OTHER "\n"), HOST_CHANGED);
	/* known by another type only: a stranger must not pass by showing a new type */
	assert_int_equal(judge("10.0.0.1", "10.0.0.1 ssh-rsa AAAAB3NzaC1yc2E=\n"), HOST_CHANGED);
	/* several keys, one of them this */
	assert_int_equal(
	    judge("10.0.0.1", "10.0.0.1 ssh-ed25519 " OTHER "\n10.0.0.1 ssh-ed25519 " KEY "\n"),
	    HOST_KNOWN);
	assert_int_equal(
	    judge("10.0.0.1", "@revoked * ssh-ed25519 " KEY "\n10.0.0.1 ssh-ed25519 " KEY "\n"),
	    HOST_REVOKED);
	assert_int_equal(judge("10.0.0.1", "@revoked 10.0.0.9 ssh-ed25519 " KEY "\n"),
	                 HOST_UNKNOWN);
	assert_int_equal(judge("10.0.0.1", "@cert-authority * ssh-ed25519 " KEY "\n"),
	                 HOST_UNKNOWN);
}

static void damaged_lines(void **state)
{
	static const char *const lines[] = {
	    "",
	    "\n\n",
	    "#10.0.0.1 ssh-ed25519 " KEY,
	    "10.0.0.1",
	    "10.0.0.1 ssh-ed25519",
	    "10.0.0.1 ssh-ed25519 ",
	    "|1|x|y ssh-ed25519 " KEY,
	    "|1||| ssh-ed25519 " KEY,
	    "|2|x|y z w",
	    "@revoked",
	    "@",
	    " ",
	    "!",
	    ",,, a b",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		auto_free char *both = xasprintf("%s\n10.0.0.1 ssh-ed25519 " KEY "\n", lines[i]);

		assert_int_equal(judge("10.0.0.1", lines[i]), HOST_UNKNOWN);
		assert_int_equal(judge("10.0.0.1", both), HOST_KNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(hashed),
	    cmocka_unit_test(other_keys),
	    cmocka_unit_test(damaged_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
