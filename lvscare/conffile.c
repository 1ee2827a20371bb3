// SPDX-License-Identifier: Apache-2.0
#include "conffile.h"

#include "cli.h"
#include "err.h"
#include "fs.h"
#include "strbuf.h"

#include <string.h>

#define FILE_MAX 65536 /* bytes */
#define BLANKS   " \t\r"

static const struct cli_option *find(const struct cli_option *options, const char *name)
{
	for (; options->name; options++)
		if (strcmp(options->name, name) == 0)
			return options;
	return NULL;
}

static bool listed(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/* Cuts a line into name and value, both without blanks around them; value NULL: there is none. */
static char *cut(char *line, char **value)
{
	size_t len;

	line += strspn(line, BLANKS);
	for (len = strlen(line); len && strchr(BLANKS, line[len - 1]); len--)
		line[len - 1] = '\0';
	*value = line + strcspn(line, BLANKS);
	if (!**value) {
		*value = NULL;
		return line;
	}
	*(*value)++ = '\0';
	*value += strspn(*value, BLANKS);
	return line;
}

static int add(const struct cli_option *o, const char *value, struct strlist *words,
               struct err *err)
{
	if (o->kind == CLI_FLAG && value)
		return err_set_code(err, EXIT_USAGE, "%s takes no value", o->name);
	if (o->kind != CLI_FLAG && !value)
		return err_set_code(err, EXIT_USAGE, "%s needs a value", o->name);
	strlist_addf(words, value ? "--%s=%s" : "--%s", o->name, value);
	return 0;
}

int conffile_read(const char *path, const struct cli_option *options,
                  const char *const *not_in_file, struct strlist *words, struct err *err)
{
	auto_strbuf text = {0};
	char *next, *line;

	if (fs_read(path, FILE_MAX, &text, err) < 0) {
		err->code = EXIT_USAGE;
		return -1;
	}
	if (memchr(text.buf, '\0', text.len))
		return err_set_code(err, EXIT_USAGE, "%s: not a text file", path);
	next = text.buf;
	for (unsigned n = 1; (line = strsep(&next, "\n")); n++) {
		char *value;
		const char *name = cut(line, &value);
		const struct cli_option *o = find(options, name);

		if (!*name || *name == '#')
			continue;
		if (!o)
			return err_set_code(err, EXIT_USAGE, "%s:%u: unknown option \"%.40s\"",
			                    path, n, name);
		if (listed(not_in_file, name))
			return err_set_code(err, EXIT_USAGE,
			                    "%s:%u: %s belongs on the command line", path, n, name);
		if (add(o, value, words, err) < 0)
			return err_wrap(err, "%s:%u", path, n);
	}
	return 0;
}
