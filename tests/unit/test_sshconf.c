/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "mem.h"
#include "sshconf.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct sshconf *parse(const char *text)
{
	struct err err = {0};
	struct sshconf *c = sshconf_parse(text, "config", "/nonexistent", &err);

	if (!c)
		print_message("%s\n", err.msg);
	assert_non_null(c);
	return c;
}

static int look(const char *text, const char *name, struct ssh_login *out, struct err *err)
{
	struct sshconf *c = parse(text);
	const struct sshconf_query q = {.name = name, .default_user = "root"};
	int rc = sshconf_lookup(c, &q, out, err);

	sshconf_free(c);
	return rc;
}

static void defaults(void **state)
{
	const struct sshconf_query q = {.name = "10.0.0.1", .default_user = "root"};
	struct ssh_login l;
	struct err err = {0};

	(void)state;
	setenv("HOME", "/h", 1);
	unsetenv("SSH_AUTH_SOCK");
	assert_int_equal(sshconf_lookup(NULL, &q, &l, &err), 0);
	assert_string_equal(l.hostname, "10.0.0.1");
	assert_string_equal(l.user, "root");
	assert_int_equal(l.port, 22);
	assert_true(l.default_identities);
	assert_int_equal(l.user_known_hosts, 2);
	assert_string_equal(l.known_hosts.v[0], "/h/.ssh/known_hosts");
	assert_string_equal(l.known_hosts.v[2], "/etc/ssh/ssh_known_hosts");
	assert_null(l.agent);
	assert_null(l.jump);
	ssh_login_release(&l);
}

static void first_value_counts(void **state)
{
	static const char text[] = "Host *\nUser a\nHost 10.* !10.0.0.2\n  Port 2222\nuser b\n"
				   "IdentityFile ~/x\nHost *\nPORT=1\nIdentityFile %d/%h-%p-%r\n";
	struct ssh_login l;
	struct err err = {0};

	(void)state;
	assert_int_equal(look(text, "10.0.0.1", &l, &err), 0);
	assert_string_equal(l.user, "a");
	assert_int_equal(l.port, 2222);
	assert_int_equal(l.identities.n, 2);
	assert_string_equal(l.identities.v[0], "/h/x");
	assert_string_equal(l.identities.v[1], "/h/10.0.0.1-2222-a");
	assert_false(l.default_identities);
	ssh_login_release(&l);
	assert_int_equal(look(text, "10.0.0.2", &l, &err), 0);
	assert_int_equal(l.port, 1);
	ssh_login_release(&l);
}

static void words_and_quotes(void **state)
{
	static const char text[] = "Host \"a b\" 'c' # d\nHostName \"x y\"\nUser = \"me\"#no\n"
				   "Host d\nHostName %h.example\nIdentityAgent none\n";
	struct ssh_login l;
	struct err err = {0};

	(void)state;
	assert_int_equal(look(text, "a b", &l, &err), 0);
	assert_string_equal(l.hostname, "x y");
	assert_string_equal(l.user, "me#no");
	ssh_login_release(&l);
	assert_int_equal(look(text, "d", &l, &err), 0);
	assert_string_equal(l.hostname, "d.example");
	ssh_login_release(&l);
}

static void match(void **state)
{
	static const char text[] =
	    "HostName 10.0.0.1\nMatch host 10.0.0.* originalhost a,b !user x\n"
	    "Port 1\nMatch all\nPort 2\nMatch exec true\nPort 3\n";
	struct ssh_login l;
	struct err err = {0};

	(void)state;
	assert_int_equal(look(text, "a", &l, &err), -1);
	assert_string_equal(err.msg, "config:6: match: the criterion \"exec\" is not followed here "
	                             "(host, originalhost, user, localuser and all are)");
	assert_int_equal(err.code, EXIT_USAGE);
	auto_free char *most = xstrndup(text, (size_t)(strstr(text, "Match exec") - text));

	assert_int_equal(look(most, "a", &l, &err), 0);
	assert_int_equal(l.port, 1);
	ssh_login_release(&l);
	assert_int_equal(look(most, "c", &l, &err), 0);
	assert_int_equal(l.port, 2);
	ssh_login_release(&l);
}

static void proxies(void **state)
{
	struct ssh_login l;
	struct err err = {0};

	(void)state;
	assert_int_equal(look("ProxyJump a,b\nProxyCommand x\n", "h", &l, &err), 0);
	assert_string_equal(l.jump, "a,b");
	ssh_login_release(&l);
	assert_int_equal(look("ProxyCommand none\nProxyJump a\nProxyCommand x\n", "h", &l, &err),
	                 0);
	assert_null(l.jump);
	ssh_login_release(&l);
	assert_int_equal(look("ProxyCommand x\n", "h", &l, &err), -1);
	assert_int_equal(look("Host g\nProxyCommand x\n", "h", &l, &err), 0);
	ssh_login_release(&l);
}

static void refused_by_name(void **state)
{
	static const char *const lines[] = {"Ciphers a",
	                                    "MACs a",
	                                    "BindAddress a",
	                                    "What ever",
	                                    "CanonicalizeHostname always",
	                                    "IdentitiesOnly maybe",
	                                    "IdentityFile ~other/x",
	                                    "IdentityFile %Z"};
	static const char *const accepted[] = {"CanonicalizeHostname no\nCanonicalizeHostname yes",
	                                       "ControlMaster auto", "PKCS11Provider none",
	                                       "IgnoreUnknown wh*,x\nWhat ever"};
	struct ssh_login l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct err err = {0};

		assert_int_equal(look(lines[i], "h", &l, &err), -1);
		assert_int_equal(err.code, EXIT_USAGE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		struct err err = {0};

		assert_int_equal(look(accepted[i], "h", &l, &err), 0);
		ssh_login_release(&l);
	}
}

static void damaged(void **state)
{
	static const char *const texts[] = {"Host \"a", "Host 'a", "Host",
	                                    "=x",       "Port x",  "Port 0"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct err err = {0};

		assert_null(sshconf_parse(texts[i], "f", "/", &err));
		assert_non_null(strstr(err.msg, "f:1: "));
	}
}

static void address(void **state)
{
	struct sshconf *c = parse("Ciphers x\nHost a\nHostName 10.0.0.1\nPort 2222\nProxyJump j\n");
	char *hostname = NULL;
	uint16_t port = 22;
	bool jumps = false;

	(void)state;
	sshconf_address(c, "a", &hostname, &port, &jumps);
	assert_string_equal(hostname, "10.0.0.1");
	assert_int_equal(port, 2222);
	assert_true(jumps);
	free(hostname);
	jumps = false;
	port = 22;
	sshconf_address(c, "b", &hostname, &port, &jumps);
	assert_string_equal(hostname, "b");
	assert_int_equal(port, 22);
	assert_false(jumps);
	free(hostname);
	sshconf_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults),         cmocka_unit_test(first_value_counts),
	    cmocka_unit_test(words_and_quotes), cmocka_unit_test(match),
	    cmocka_unit_test(proxies),          cmocka_unit_test(refused_by_name),
	    cmocka_unit_test(damaged),          cmocka_unit_test(address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
