// SPDX-License-Identifier: Apache-2.0
#include "cli.h"

#include "err.h"
#include "mem.h"
#include "strbuf.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#ifndef KUBECASK_VERSION
#error "KUBECASK_VERSION comes from the Makefile"
#endif

#define OPT_BASE    256 /* getopt values of the rows: above every letter */
#define OPT_HELP    1
#define OPT_VERSION 2
#define DAY_MS      86400000u

static size_t count(const struct cli_command *cmd)
{
	size_t n = 0;

	while (cmd->options[n].name)
		n++;
	return n;
}

bool cli_duration(const char *s, unsigned *ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	char *end;
	double v;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	v = strtod(s, &end);
	if (errno || strspn(s, "0123456789.") != (size_t)(end - s))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		v *= units[i].ms;
		if (v > DAY_MS)
			return false;
		*ms = (unsigned)(v + 0.5);
		return true;
	}
	return false;
}

static int out_of_range(const struct cli_option *o, const char *value, struct err *err)
{
	const char *unit = o->kind == CLI_DURATION ? " ms" : "";

	if (o->max)
		return err_set_code(err, EXIT_USAGE, "--%s: \"%s\" is not between %u%s and %u%s",
		                    o->name, value, o->min, unit, o->max, unit);
	return err_set_code(err, EXIT_USAGE, "--%s: \"%s\" is below %u%s", o->name, value, o->min,
	                    unit);
}

static int store_number(const struct cli_option *o, const char *value, struct err *err)
{
	unsigned long v = 0;
	unsigned ms;

	if (o->kind == CLI_DURATION) {
		if (!cli_duration(value, &ms))
			return err_set_code(
			    err, EXIT_USAGE,
			    "--%s: \"%s\" is not a duration such as 500ms, 2s or 1m", o->name,
			    value);
		v = ms;
	} else {
		char *end;

		errno = 0;
		v = strtoul(value, &end, 10);
		if (!isdigit((unsigned char)*value) || *end || errno || v > 0xffffffffUL)
			return err_set_code(err, EXIT_USAGE, "--%s: \"%s\" is not a whole number",
			                    o->name, value);
	}
	if (v < o->min || (o->max && v > o->max))
		return out_of_range(o, value, err);
	*(unsigned *)o->dest = (unsigned)v;
	return 0;
}

static int store_list(const struct cli_option *o, const char *value, struct err *err)
{
	auto_free char *copy = xstrdup(value);
	char *next = copy;
	char *item;

	while ((item = strsep(&next, o->list_commas ? "," : ""))) {
		if (!*item)
			return err_set_code(err, EXIT_USAGE, "--%s: \"%s\" has an empty part",
			                    o->name, value);
		strlist_add(o->dest, item);
	}
	return 0;
}

static int store(const struct cli_option *o, const char *value, struct err *err)
{
	switch (o->kind) {
	case CLI_FLAG:
		*(bool *)o->dest = true;
		return 0;
	case CLI_STRING:
		if (!*value)
			return err_set_code(err, EXIT_USAGE, "--%s: the value is empty", o->name);
		*(const char **)o->dest = value;
		return 0;
	case CLI_LIST:
		return store_list(o, value, err);
	case CLI_UINT:
	case CLI_DURATION:
		return store_number(o, value, err);
	}
	return 0;
}

/* getopt's tables from ours; both are freed by the caller. */
static struct option *long_options(const struct cli_command *cmd, struct strbuf *letters)
{
	size_t n = count(cmd);
	struct option *longs = xcalloc(n + 3, sizeof(*longs));

	strbuf_addstr(letters, ":h");
	for (size_t i = 0; i < n; i++) {
		const struct cli_option *o = &cmd->options[i];

		longs[i] = (struct option){.name = o->name,
		                           .has_arg = o->kind == CLI_FLAG ? no_argument
		                                                          : required_argument,
		                           .val = OPT_BASE + (int)i};
		if (o->letter)
			strbuf_addf(letters, "%c%s", o->letter, o->kind == CLI_FLAG ? "" : ":");
	}
	longs[n] = (struct option){.name = "help", .val = OPT_HELP};
	longs[n + 1] = (struct option){.name = "version", .val = OPT_VERSION};
	return longs;
}

static const struct cli_option *row(const struct cli_command *cmd, int value)
{
	if (value >= OPT_BASE)
		return &cmd->options[value - OPT_BASE];
	for (const struct cli_option *o = cmd->options; o->name; o++)
		if (o->letter == value)
			return o;
	return NULL;
}

static int unknown(const struct cli_command *cmd, int value, char **argv, struct err *err)
{
	const struct cli_option *o = optopt ? row(cmd, optopt) : NULL;

	if (value == ':')
		return err_set_code(err, EXIT_USAGE, "--%s needs a value", o ? o->name : "?");
	if (o) /* --flag=value */
		return err_set_code(err, EXIT_USAGE, "--%s takes no value", o->name);
	if (optopt > 0 && optopt < OPT_BASE && optopt > OPT_VERSION)
		return err_set_code(err, EXIT_USAGE, "unknown option -%c (see %s --help)", optopt,
		                    cmd->prog);
	return err_set_code(err, EXIT_USAGE, "unknown option %s (see %s --help)", argv[optind - 1],
	                    cmd->prog);
}

int cli_parse(const struct cli_command *cmd, int argc, char **argv, struct strlist *rest,
              struct err *err)
{
	auto_strbuf letters = {0};
	auto_free struct option *longs = long_options(cmd, &letters);
	int v;

	optind = 0; /* glibc: start anew, also for a second command line in one process */
	opterr = 0;
	while ((v = getopt_long(argc, argv, strbuf_str(&letters), longs, NULL)) != -1) {
		if (v == OPT_HELP || (v == 'h' && !row(cmd, 'h'))) {
			cli_help(cmd, stdout);
			return 1;
		}
		if (v == OPT_VERSION) {
			printf("%s %s\n", cmd->prog, KUBECASK_VERSION);
			return 1;
		}
		if (v == '?' || v == ':')
			return unknown(cmd, v, argv, err);
		if (store(row(cmd, v), optarg, err) < 0)
			return -1;
	}
	for (; optind < argc; optind++) {
		if (!rest)
			return err_set_code(err, EXIT_USAGE,
			                    "unexpected argument \"%s\" (see %s --help)",
			                    argv[optind], cmd->prog);
		strlist_add(rest, argv[optind]);
	}
	return 0;
}

/* Words of text from column indent on, at most 80 columns; at is where the cursor stands. */
static void wrap(FILE *out, const char *text, size_t indent, size_t at)
{
	while (*text) {
		size_t len = strcspn(text, " \n");

		if (at > indent && at + 1 + len > 80) {
			fprintf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (at > indent) {
			fputc(' ', out);
			at++;
		}
		fprintf(out, "%.*s", (int)len, text);
		at += len;
		text += len;
		text += strspn(text, " \n");
	}
	fputc('\n', out);
}

static void help_row(FILE *out, char letter, const char *name, const char *arg, const char *help)
{
	auto_strbuf head = {0};

	if (letter)
		strbuf_addf(&head, "  -%c, --%s", letter, name);
	else
		strbuf_addf(&head, "      --%s", name);
	if (arg)
		strbuf_addf(&head, " %s", arg);
	if (head.len < 30)
		fprintf(out, "%-30s", strbuf_str(&head));
	else
		fprintf(out, "%s\n%30s", strbuf_str(&head), "");
	wrap(out, help, 30, 30);
}

/* Calls each for every paragraph; one that begins with a blank is kept line by line. */
static void paragraphs(const char *text, void (*each)(FILE *out, const char *s, bool verbatim),
                       FILE *out)
{
	while (text && *text) {
		const char *end = strstr(text, "\n\n");
		size_t len = end ? (size_t)(end - text) : strlen(text);
		auto_free char *s = NULL;

		while (len && text[len - 1] == '\n')
			len--;
		s = xstrndup(text, len);
		each(out, s, *s == ' ' || *s == '\t');
		text = end ? end + 2 : NULL;
	}
}

static void help_paragraph(FILE *out, const char *s, bool verbatim)
{
	fputc('\n', out);
	if (verbatim)
		fprintf(out, "%s\n", s);
	else
		wrap(out, s, 0, 0);
}

void cli_help(const struct cli_command *cmd, FILE *out)
{
	fprintf(out, "Usage: %s %s\n%s\n\nOptions:\n", cmd->prog, cmd->synopsis, cmd->summary);
	for (const struct cli_option *o = cmd->options; o->name; o++)
		if (o->help)
			help_row(out, o->letter, o->name, o->arg, o->help);
	help_row(out, 'h', "help", NULL, "Print this help and exit.");
	help_row(out, 0, "version", NULL, "Print the version and exit.");
	paragraphs(cmd->text, help_paragraph, out);
}

/* Text for man(7): backslashes, leading dots and hyphens of options. */
static void man_text(FILE *out, const char *s)
{
	for (bool bol = true; *s; bol = *s == '\n', s++) {
		if (bol && (*s == '.' || *s == '\''))
			fputs("\\&", out);
		if (*s == '\\')
			fputs("\\e", out);
		else if (*s == '-')
			fputs("\\-", out);
		else
			fputc(*s, out);
	}
}

static void man_options(const struct cli_command *cmd, FILE *out)
{
	for (const struct cli_option *o = cmd->options; o->name; o++) {
		if (!o->help)
			continue;
		fputs(".TP\n", out);
		if (o->letter)
			fprintf(out, "\\fB\\-%c\\fR, ", o->letter);
		fputs("\\fB\\-\\-", out);
		man_text(out, o->name);
		fputs("\\fR", out);
		if (o->arg)
			fprintf(out, " \\fI%s\\fR", o->arg);
		fputc('\n', out);
		man_text(out, o->help);
		fputc('\n', out);
	}
}

static void man_synopsis(const struct cli_command *cmd, FILE *out)
{
	fprintf(out, "\\fB%s\\fR ", cmd->prog);
	man_text(out, cmd->synopsis);
	fputs("\n", out);
}

static void man_paragraph(FILE *out, const char *s, bool verbatim)
{
	fputs(verbatim ? ".PP\n.nf\n" : ".PP\n", out);
	man_text(out, s);
	fputs(verbatim ? "\n.fi\n" : "\n", out);
}

static void man_body(const struct cli_command *cmd, FILE *out)
{
	man_text(out, cmd->summary);
	fputs("\n", out);
	paragraphs(cmd->text, man_paragraph, out);
}

void cli_man(const struct cli_command *cmd, const struct cli_command *const *more, FILE *out)
{
	fputs(".TH ", out);
	for (const char *p = cmd->prog; *p; p++)
		fputc(toupper((unsigned char)*p), out);
	fprintf(out, " 8 \"\" \"kubecask %s\" \"kubecask\"\n.SH NAME\n%s \\- ", KUBECASK_VERSION,
	        cmd->prog);
	man_text(out, cmd->summary);
	fputs("\n.SH SYNOPSIS\n", out);
	man_synopsis(cmd, out);
	for (size_t i = 0; more && more[i]; i++) {
		fputs(".br\n", out);
		man_synopsis(more[i], out);
	}
	fputs(".SH DESCRIPTION\n", out);
	man_body(cmd, out);
	fputs(".SH OPTIONS\n", out);
	man_options(cmd, out);
	for (size_t i = 0; more && more[i]; i++) {
		fprintf(out, ".SH COMMAND %s\n", more[i]->prog);
		man_body(more[i], out);
		man_options(more[i], out);
	}
	fputs(".SH EXIT STATUS\n0 done, 1 failed, 2 usage, 65 bad bundle, 75 some nodes failed\n",
	      out);
}
