/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "fs.h"
#include "knownhosts.h"
#include "mem.h"
#include "tempfile.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The wire form of a key of type ssh-ed25519 whose 32 bytes are all 'A', and its base64. */
#define BLOB                           \
	"\0\0\0\x0bssh-ed25519\0\0\0 " \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY   "AAAAC3NzaC1lZDI1NTE5AAAAIEFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"
#define OTHER "AAAAC3NzaC1lZDI1NTE5AAAAIEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC"

static const struct hostkey key = {BLOB, sizeof(BLOB) - 1};

static enum host_verdict judge_port(const char *host, uint16_t port, const char *text)
{
	const struct host_id id = {.name = host, .port = port};

	return knownhosts_judge(text, strlen(text), &id, &key);
}

static enum host_verdict judge(const char *host, const char *text)
{
	return judge_port(host, 22, text);
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
	assert_int_equal(judge("NODE3.example", "node3.Example ssh-ed25519 " KEY "\n"), HOST_KNOWN);
	assert_int_equal(judge("10.0.0.1", "[10.0.0.1]:2222 ssh-ed25519 " KEY "\n"), HOST_UNKNOWN);
}

static void ports(void **state)
{
	(void)state;
	assert_int_equal(judge_port("10.0.0.1", 2222, "[10.0.0.1]:2222 ssh-ed25519 " KEY "\n"),
	                 HOST_KNOWN);
	assert_int_equal(judge_port("fd00::1", 2222, "[fd00::1]:2222 ssh-ed25519 " KEY "\n"),
	                 HOST_KNOWN);
	/* like ssh: the same key for the plain name will do, another one says nothing */
	assert_int_equal(judge_port("10.0.0.1", 2222, "10.0.0.1 ssh-ed25519 " KEY "\n"),
	                 HOST_KNOWN);
	assert_int_equal(judge_port("10.0.0.1", 2222, "10.0.0.1 ssh-ed25519 " OTHER "\n"),
	                 HOST_UNKNOWN);
	assert_int_equal(judge_port("10.0.0.1", 2222, "@revoked 10.0.0.1 ssh-ed25519 " KEY "\n"),
	                 HOST_REVOKED);
	/* HostKeyAlias: no port */
	assert_int_equal(judge_port("rack-a7", 0, "rack-a7 ssh-ed25519 " KEY "\n"), HOST_KNOWN);
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
	/* an authority's key is no host key */
	assert_int_equal(judge("10.0.0.1", "@cert-authority * ssh-ed25519 " KEY "\n"),
	                 HOST_UNKNOWN);
	/* protocol 1 */
	assert_int_equal(judge("10.0.0.1", "10.0.0.1 1024 35 1234\n"), HOST_UNKNOWN);
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

static void several_files(void **state)
{
	const struct host_id id = {.name = "10.0.0.1", .port = 22};
	struct known_files f = {.own = 1};
	auto_strlist authorities = {0};
	const char *file = "";
	const char *a = temp_file("10.0.0.1 ssh-ed25519 " OTHER "\n");
	const char *b = temp_file("@cert-authority 10.0.0.* ssh-ed25519 " OTHER
	                          "\n10.0.0.1 ssh-ed25519 " KEY "\n");
	struct err err = {0};

	(void)state;
	strlist_add(&f.list, a);
	strlist_add(&f.list, "/nonexistent/known_hosts");
	assert_int_equal(knownhosts_verdict(&f, &id, &key, &file, &err), HOST_CHANGED);
	assert_string_equal(file, a);
	strlist_add(&f.list, b);
	assert_int_equal(knownhosts_verdict(&f, &id, &key, &file, &err), HOST_KNOWN);
	assert_string_equal(file, b);
	knownhosts_authorities(&f, &id, &authorities);
	assert_int_equal(authorities.n, 1);
	assert_string_equal(authorities.v[0], OTHER);
	strlist_release(&f.list);
}

/* A file whose last line has no newline keeps that line; a second time nothing is added. */
static void remembering(void **state)
{
	const char *a = temp_file("10.0.0.2 ssh-ed25519 " OTHER);
	const struct host_id id = {.name = "10.0.0.1", .port = 2222};
	struct known_files f = {.own = 1};
	auto_strbuf text = {0};
	struct err err = {0};

	(void)state;
	strlist_add(&f.list, a);
	for (int i = 0; i < 2; i++)
		assert_int_equal(knownhosts_check(&f, &id, &key, true, "", &err), 0);
	assert_int_equal(fs_read(a, 4096, &text, &err), 0);
	assert_string_equal(text.buf, "10.0.0.2 ssh-ed25519 " OTHER
	                              "\n[10.0.0.1]:2222 ssh-ed25519 " KEY "\n");
	f.hash = true;
	const struct host_id other = {.name = "host", .port = 22};
	assert_int_equal(knownhosts_check(&f, &other, &key, true, "", &err), 0);
	strbuf_reset(&text);
	assert_int_equal(fs_read(a, 4096, &text, &err), 0);
	assert_non_null(strstr(text.buf, "\n|1|"));
	assert_null(strstr(text.buf, "\nhost"));
	assert_int_equal(knownhosts_judge(text.buf, text.len, &other, &key), HOST_KNOWN);
	strlist_release(&f.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),         cmocka_unit_test(ports),
	    cmocka_unit_test(hashed),        cmocka_unit_test(several_files),
	    cmocka_unit_test(remembering),   cmocka_unit_test(other_keys),
	    cmocka_unit_test(damaged_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
