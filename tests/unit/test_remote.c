/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include "digest.h"
#include "err.h"
#include "mem.h"
#include "proc.h"
#include "remote.h"
#include "strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN "0123456789abcdef0123456789abcdef"

static enum remote_word parse(const char *line, const char **rest)
{
	return remote_parse(line, TOKEN, rest);
}

static void words_and_what_follows(void **state)
{
	const char *rest;

	(void)state;
	assert_int_equal(parse(TOKEN, &rest), REMOTE_HELLO);
	assert_int_equal(parse(TOKEN "\r", &rest), REMOTE_HELLO);
	assert_int_equal(parse(TOKEN " send", &rest), REMOTE_SEND);
	assert_string_equal(rest, "");
	assert_int_equal(parse(TOKEN " placed 1000", &rest), REMOTE_PLACED);
	assert_string_equal(rest, "1000");
	assert_int_equal(parse(TOKEN " no /tmp: full, it is", &rest), REMOTE_NO);
	assert_string_equal(rest, "/tmp: full, it is");
	assert_int_equal(parse(TOKEN " none", &rest), REMOTE_NONE);
	assert_int_equal(parse(TOKEN " lacks sudo", &rest), REMOTE_LACKS);
	assert_int_equal(parse(TOKEN " ended 1", &rest), REMOTE_ENDED);
	assert_int_equal(parse("{\"at\":\"ready " TOKEN "\"}", &rest), REMOTE_SERVING);
}

/* A greeting without a newline stands before our words on the same line. */
static void greetings_are_no_words(void **state)
{
	const char *rest;

	(void)state;
	assert_int_equal(parse("Welcome!" TOKEN, &rest), REMOTE_HELLO);
	assert_int_equal(parse("Welcome!{\"at\":\"ready " TOKEN "\"}", &rest), REMOTE_SERVING);
	assert_int_equal(parse("", &rest), REMOTE_OTHER);
	assert_int_equal(parse("placed 0", &rest), REMOTE_OTHER);
	assert_int_equal(parse("{\"at\":\"ready\"}", &rest), REMOTE_OTHER);
	assert_int_equal(parse(TOKEN "x", &rest), REMOTE_OTHER);
	assert_int_equal(parse(TOKEN " nonsense", &rest), REMOTE_OTHER);
	assert_int_equal(parse(TOKEN " ", &rest), REMOTE_OTHER);
	assert_int_equal(parse("ready " TOKEN "\"}", &rest), REMOTE_OTHER);
}

/* A login that prints its command, or a shell that quotes it, must not look like an answer. */
static void the_command_does_not_hold_the_token(void **state)
{
	auto_free char *command = remote_command(TOKEN);

	(void)state;
	assert_null(strstr(command, TOKEN));
	/* what sh, csh and fish do not read alike */
	assert_null(strpbrk(command, "!\\\n`"));
	assert_ptr_equal(strchr(strchr(command, '\'') + 1, '\''), command + strlen(command) - 1);
}

static void a_shell_reads_command_and_script_alike(void **state)
{
	auto_free char *command = remote_command(TOKEN);
	auto_free char *script = remote_script(TOKEN, 5, "none");
	const struct proc_opts opts = {
	    .stdin_data = script, .stdin_len = strlen(script), .timeout_s = 30};
	const char *argv[] = {"/bin/sh", "-c", command, NULL};
	auto_strbuf out = {0}, errout = {0};
	struct err err = {0};

	(void)state;
	/* one line: the shell that reads it goes on with the program's bytes */
	assert_ptr_equal(strchr(script, '\n'), script + strlen(script) - 1);
	assert_true(proc_run(argv, &opts, &out, &errout, &err) >= 0);
	assert_string_equal(strbuf_str(&errout), "");
	assert_non_null(strstr(out.buf, TOKEN "\n" TOKEN " send\n"));
	assert_non_null(strstr(out.buf, TOKEN " none\n")); /* it got no bytes */
}

/* The bytes are checked, run with the words that were asked for, and removed; words that are not
 * known end it. */
static void the_script_places_and_runs(void **state)
{
	static const char program[] = "#!/bin/sh\necho \"runs $*\"\n";
	struct digest digest;
	struct proc_opts opts = {.timeout_s = 30};
	auto_free char *script = NULL;
	auto_strbuf in = {0}, out = {0}, errout = {0};
	struct err err = {0};
	char place[256], want[512];
	const char *argv[] = {"/bin/sh", "-c", "IFS= read -r s && eval \"$s\"", NULL}, *p;

	(void)state;
	digest_data(program, strlen(program), &digest);
	script = remote_script(TOKEN, strlen(program), digest_hex(&digest));
	strbuf_addf(&in, "%s%sroot\nnonsense\nroot\n", script, program);
	opts.stdin_data = in.buf;
	opts.stdin_len = in.len;
	assert_int_equal(proc_run(argv, &opts, &out, &errout, &err), 0);
	assert_string_equal(strbuf_str(&errout), "");
	p = strstr(out.buf, "--placed ");
	assert_non_null(p);
	assert_int_equal(sscanf(p, "--placed %255s", place), 1);
	assert_int_equal(access(place, F_OK), -1);
	snprintf(want, sizeof(want),
	         TOKEN " send\n" TOKEN " placed %d\nruns node serve --placed %s --token " TOKEN
	               "\n" TOKEN " ended 0\n",
	         (int)getuid(), place);
	assert_string_equal(out.buf, want);
}

static void quote(const char *text, const char *want)
{
	auto_strbuf out = {0};

	remote_quote(text, TOKEN, &out);
	assert_string_equal(strbuf_str(&out), want);
}

static void foreign_text_in_a_message(void **state)
{
	auto_free char *much = xcalloc(1, 1001);
	auto_strbuf out = {0};

	(void)state;
	quote("", "");
	quote("\r\n \n", "");
	quote("One sentence.\r\n\r\n  Another one. \n", "One sentence; Another one");
	quote("\033[31mred\a", "?[31mred?");
	quote(TOKEN " deploy:", "");
	quote("Lecture.\n" TOKEN " deploy:\nSorry, try again.\n" TOKEN " deploy:sudo: 1 attempt\n",
	      "Lecture; Sorry, try again; sudo: 1 attempt");
	quote("may not run 'serve --token " TOKEN "' as root: ask\n",
	      "may not run 'serve --token " TOKEN "' as root: ask");
	memset(much, 'x', 1000);
	remote_quote(much, TOKEN, &out);
	assert_int_equal(out.len, 404);
	assert_memory_equal(out.buf, "... x", 5);
}

static void whose_password_is_asked_for(void **state)
{
	char user[64];

	(void)state;
	assert_false(remote_prompt("", TOKEN, user));
	assert_false(remote_prompt("Password:", TOKEN, user));
	assert_false(remote_prompt(TOKEN " deploy", TOKEN, user)); /* not all of it has come */
	assert_false(remote_prompt("serve --token " TOKEN "' as root: no", TOKEN, user));
	assert_true(remote_prompt("Lecture\n" TOKEN " deploy:", TOKEN, user));
	assert_string_equal(user, "deploy");
	assert_true(remote_prompt(TOKEN " deploy:\nSorry\n" TOKEN " root:", TOKEN, user));
	assert_string_equal(user, "root");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_and_what_follows),
	    cmocka_unit_test(greetings_are_no_words),
	    cmocka_unit_test(the_command_does_not_hold_the_token),
	    cmocka_unit_test(a_shell_reads_command_and_script_alike),
	    cmocka_unit_test(the_script_places_and_runs),
	    cmocka_unit_test(foreign_text_in_a_message),
	    cmocka_unit_test(whose_password_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
