/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "mem.h"
#include "options.h"
#include "ssh.h"
#include "unit.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* A run that asks twice how to log in reads stdin once. */
static void password_from_stdin_once(void **state)
{
	const char *argv[] = {"install", "--password-file", "-", "--ssh-config", "none", NULL};
	struct ssh_config a, b;
	struct options o;
	struct err err = {0};
	int p[2], was = dup(0);

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "secret\nsecond\n", 14), 14);
	close(p[1]);
	assert_int_equal(dup2(p[0], 0), 0);
	assert_int_equal(options_parse(&o, CMD_INSTALL, 5, (char **)(uintptr_t)argv, &err), 0);
	assert_int_equal(options_ssh(&o, &a, &err), 0);
	assert_int_equal(options_ssh(&o, &b, &err), 0);
	assert_string_equal(a.password, "secret");
	assert_string_equal(b.password, "secret");
	assert_string_equal(a.user, "root");
	assert_false(a.user_given);
	ssh_config_release(&a);
	ssh_config_release(&b);
	options_release(&o);
	dup2(was, 0);
	close(was);
	close(p[0]);
}

static void user_root_may_be_given(void **state)
{
	const char *argv[] = {"install",    "--user",       "root", "--host-key",
	                      "accept-new", "--ssh-config", "none", NULL};
	struct ssh_config a;
	struct options o;
	struct err err = {0};

	(void)state;
	assert_int_equal(options_parse(&o, CMD_INSTALL, 7, (char **)(uintptr_t)argv, &err), 0);
	assert_int_equal(options_ssh(&o, &a, &err), 0);
	assert_true(a.user_given);
	assert_true(a.host_key_given && a.accept_new);
	ssh_config_release(&a);
	options_release(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(password_from_stdin_once),
	    cmocka_unit_test(user_root_may_be_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
