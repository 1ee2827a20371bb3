/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "cli.h"
#include "conffile.h"
#include "err.h"
#include "fs.h"
#include "strbuf.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option options[] = {
    {0, "text", CLI_STRING, "TEXT", NULL, NULL, 0, 0, false},
    {0, "flag", CLI_FLAG, NULL, NULL, NULL, 0, 0, false},
    {0, "action", CLI_FLAG, NULL, NULL, NULL, 0, 0, false},
    {0, NULL, CLI_FLAG, NULL, NULL, NULL, 0, 0, false},
};

static char file[] = "/tmp/conffile.XXXXXX";

/* The words with commas between them, or the failure without the file's name. */
static const char *read_back(const char *text, size_t len)
{
	static const char *const not_in_file[] = {"action", NULL};
	static char out[256];
	auto_strlist words = {0};
	struct err err = {0};

	assert_int_equal(fs_write_atomic(file, text, len, 0600, &err), 0);
	out[0] = '\0';
	if (conffile_read(file, options, not_in_file, &words, &err) < 0)
		return strcpy(out, err.msg + strlen(file));
	for (size_t i = 0; i < words.n; i++)
		strcat(strcat(out, i ? "," : ""), words.v[i]);
	return out;
}

static void lines_become_words(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
	    {"", ""},
	    {"\n \n# text x\n  # y\r\n", ""},
	    {"text a\nflag\n", "--text=a,--flag"},
	    {"\t text \t a  b=c # no comment \r\ntext --x",
	     "--text=a  b=c # no comment,--text=--x"},
	    {"text \n", ":1: text needs a value"},
	    {"flag\nflag on\n", ":2: flag takes no value"},
	    {"action\n", ":1: action belongs on the command line"},
	    {"tex a\n", ":1: unknown option \"tex\""},
	    {"text=a\n", ":1: unknown option \"text=a\""},
	};

	(void)state;
	close(mkstemp(file));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(read_back(cases[i].text, strlen(cases[i].text)),
		                    cases[i].words);
	assert_string_equal(read_back("flag\0flag", 9), ": not a text file");
	unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_become_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
