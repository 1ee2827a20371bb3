/* links: common */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "proc.h"
#include "strbuf.h"
#include "unit.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#define SH(script) ((const char *const[]){"sh", "-c", script, NULL})

static void streams_are_apart(void **state)
{
	struct err err = {0};
	auto_strbuf out = {0}, errout = {0};

	(void)state;
	assert_int_equal(proc_run(SH("echo a; echo b >&2; exit 3"), NULL, &out, &errout, &err), 3);
	assert_string_equal(out.buf, "a\n");
	assert_string_equal(errout.buf, "b\n");
}

static void signals_count_above_128(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(proc_run(SH("kill -TERM $$"), NULL, NULL, NULL, &err), 128 + SIGTERM);
}

static void large_input_comes_back(void **state)
{
	struct err err = {0};
	auto_strbuf in = {0}, out = {0};
	struct proc_opts opts = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		strbuf_addf(&in, "%06d\n", i);
	opts.stdin_data = in.buf;
	opts.stdin_len = in.len;
	assert_int_equal(proc_run(SH("cat"), &opts, &out, NULL, &err), 0);
	assert_int_equal(out.len, in.len);
	assert_memory_equal(out.buf, in.buf, in.len);
}

static void reader_that_leaves_early(void **state)
{
	struct err err = {0};
	auto_strbuf in = {0};
	struct proc_opts opts = {0};

	(void)state;
	strbuf_grow(&in, 1 << 20);
	memset(in.buf, 'x', 1 << 20);
	opts.stdin_data = in.buf;
	opts.stdin_len = 1 << 20;
	assert_int_equal(proc_run(SH("exit 0"), &opts, NULL, NULL, &err), 0);
}

static void missing_program(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(
	    proc_run((const char *const[]){"/no/such/program", NULL}, NULL, NULL, NULL, &err), -1);
	assert_string_equal(err.msg, "/no/such/program: No such file or directory");
}

static void deadline_ends_the_whole_group(void **state)
{
	struct err err = {0};
	struct proc_opts opts = {.timeout_s = 1};
	time_t start = time(NULL);

	(void)state;
	assert_int_equal(proc_run(SH("sleep 100 & sleep 100"), &opts, NULL, NULL, &err), -1);
	assert_string_equal(err.msg, "sh: not finished after 1 s, stopped");
	assert_true(time(NULL) - start < 30);
}

static void environment_and_directory(void **state)
{
	struct err err = {0};
	auto_strbuf out = {0};
	const char *const env[] = {"COLOUR=blue", NULL};
	struct proc_opts opts = {.dir = "/", .env = env};

	(void)state;
	assert_int_equal(proc_run(SH("echo $COLOUR $PWD"), &opts, &out, NULL, &err), 0);
	assert_string_equal(out.buf, "blue /\n");
}

static void collect(void *ctx, const char *line)
{
	strbuf_addf(ctx, "[%s]", line);
}

static void lines_as_they_come(void **state)
{
	struct err err = {0};
	auto_strbuf seen = {0};
	struct proc_opts opts = {.on_line = collect, .ctx = &seen};

	(void)state;
	assert_int_equal(proc_run(SH("echo one; printf two"), &opts, NULL, NULL, &err), 0);
	assert_string_equal(seen.buf, "[one][two]");
}

static void check_quotes_the_last_words(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(proc_check(SH("seq 100 >&2; exit 4"), NULL, NULL, &err), -1);
	assert_memory_equal(err.msg, "sh: exit status 4: 89\n90", 24);
	assert_null(strstr(err.msg, "88"));
	assert_int_equal(proc_check(SH("exit 5"), NULL, NULL, &err), -1);
	assert_string_equal(err.msg, "sh: exit status 5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(streams_are_apart),
	    cmocka_unit_test(signals_count_above_128),
	    cmocka_unit_test(large_input_comes_back),
	    cmocka_unit_test(reader_that_leaves_early),
	    cmocka_unit_test(missing_program),
	    cmocka_unit_test(deadline_ends_the_whole_group),
	    cmocka_unit_test(environment_and_directory),
	    cmocka_unit_test(lines_as_they_come),
	    cmocka_unit_test(check_quotes_the_last_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
