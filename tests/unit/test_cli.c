/* links: common */
// SPDX-License-Identifier: Apache-2.0
#include "cli.h"
#include "err.h"
#include "mem.h"
#include "strbuf.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	bool yes;
	const char *file;
	struct strlist hosts;
	unsigned jobs, wait;
} got;

static const struct cli_option options[] = {
    {'y', "yes", CLI_FLAG, NULL, "Do not ask.", &got.yes, 0, 0, false},
    {'f', "file", CLI_STRING, "FILE", "Read FILE.", &got.file, 0, 0, false},
    {0, "host", CLI_LIST, "HOST", "A host; may be repeated, and this help is long enough to wrap.",
     &got.hosts, 0, 0, true},
    {0, "jobs", CLI_UINT, "N", "At most N at once.", &got.jobs, 1, 64, false},
    {0, "wait", CLI_DURATION, "TIME", "How long.", &got.wait, 100, 0, false},
    {0, "secret-flag", CLI_FLAG, NULL, NULL, &got.yes, 0, 0, false},
    {0, NULL, CLI_FLAG, NULL, NULL, NULL, 0, 0, false},
};
static const struct cli_command cmd = {
    "prog", "[options]", "Does things.",
    "A paragraph that is long enough to be wrapped because it goes "
    "beyond the eightieth column.\n\n  kept   as it is\n",
    options};

static int parse(struct strlist *rest, struct err *err, const char *line)
{
	auto_free char *copy = xstrdup(line);
	char *argv[16] = {(char[]){"prog"}};
	int argc = 1;

	strlist_release(&got.hosts);
	memset(&got, 0, sizeof(got));
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	int rc = cli_parse(&cmd, argc, argv, rest, err);

	if (got.file) /* borrowed from the copy */
		got.file = "seen";
	return rc;
}

static void every_kind(void **state)
{
	struct err err = {0};
	auto_strlist rest = {0};

	(void)state;
	assert_int_equal(parse(&rest, &err, "-y -f x --host a,b --host=c --jobs 3 --wait 1.5s op"),
	                 0);
	assert_true(got.yes);
	assert_string_equal(got.file, "seen");
	assert_int_equal(got.hosts.n, 3);
	assert_string_equal(got.hosts.v[2], "c");
	assert_int_equal(got.jobs, 3);
	assert_int_equal(got.wait, 1500);
	assert_int_equal(rest.n, 1);
}

static void refusals(void **state)
{
	static const struct {
		const char *line, *msg;
	} cases[] = {
	    {"--nope", "unknown option --nope (see prog --help)"},
	    {"-x", "unknown option -x (see prog --help)"},
	    {"--file", "--file needs a value"},
	    {"--file=", "--file: the value is empty"},
	    {"--yes=1", "--yes takes no value"},
	    {"--jobs 0", "--jobs: \"0\" is not between 1 and 64"},
	    {"--jobs 65", "--jobs: \"65\" is not between 1 and 64"},
	    {"--jobs -1", "--jobs: \"-1\" is not a whole number"},
	    {"--jobs 3x", "--jobs: \"3x\" is not a whole number"},
	    {"--wait 1d", "--wait: \"1d\" is not a duration such as 500ms, 2s or 1m"},
	    {"--wait 50ms", "--wait: \"50ms\" is below 100 ms"},
	    {"--host a,,b", "--host: \"a,,b\" has an empty part"},
	    {"operand", "unexpected argument \"operand\" (see prog --help)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = {0};

		assert_int_equal(parse(NULL, &err, cases[i].line), -1);
		assert_string_equal(err.msg, cases[i].msg);
		assert_int_equal(err.code, EXIT_USAGE);
	}
}

static void durations(void **state)
{
	unsigned ms = 0;

	(void)state;
	assert_true(cli_duration("5", &ms));
	assert_int_equal(ms, 5000);
	assert_true(cli_duration("250ms", &ms));
	assert_int_equal(ms, 250);
	assert_true(cli_duration("24h", &ms));
	assert_false(cli_duration("25h", &ms));
	assert_false(cli_duration("", &ms));
	assert_false(cli_duration("-1s", &ms));
	assert_false(cli_duration("0x10", &ms));
	assert_false(cli_duration("1e3", &ms));
	assert_false(cli_duration("inf", &ms));
}

static void help_and_man_from_one_table(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	cli_help(&cmd, f);
	fclose(f);
	assert_non_null(strstr(text, "Usage: prog [options]\nDoes things.\n"));
	assert_non_null(strstr(text, "  -f, --file FILE             Read FILE.\n"));
	assert_non_null(strstr(text, "      --version               Print"));
	assert_null(strstr(text, "secret-flag"));
	assert_non_null(strstr(text, "beyond the\neightieth column.\n\n  kept   as it is\n"));
	for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
		assert_true(end - line <= 80);
	free(text);
	f = open_memstream(&text, &len);
	cli_man(&cmd, NULL, f);
	fclose(f);
	assert_memory_equal(text, ".TH PROG 8", 10);
	assert_non_null(strstr(text, "\\fB\\-\\-jobs\\fR \\fIN\\fR\nAt most N at once."));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind),
	    cmocka_unit_test(refusals),
	    cmocka_unit_test(durations),
	    cmocka_unit_test(help_and_man_from_one_table),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	strlist_release(&got.hosts);
	return rc;
}
