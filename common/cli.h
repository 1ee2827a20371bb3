/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct err;
struct strlist;

/*
 * Command lines from one table: getopt_long does the parsing, and --help, the man page's OPTIONS
 * (see cli_man) and the checks in the tests all come from the same rows.
 */
enum cli_kind {
	CLI_FLAG,     /* no value; dest: bool * */
	CLI_STRING,   /* dest: const char **, borrowed from argv */
	CLI_LIST,     /* repeatable, or comma-separated when list_commas; dest: struct strlist * */
	CLI_UINT,     /* dest: unsigned *, min..max */
	CLI_DURATION, /* "2s", "500ms", "1m", plain number = seconds; dest: unsigned *, milliseconds
	               */
};

struct cli_option {
	char letter;      /* 0: none */
	const char *name; /* without the dashes */
	enum cli_kind kind;
	const char *arg;  /* what the value is called in help: "FILE"; NULL for flags */
	const char *help; /* one or two sentences; NULL hides the option */
	void *dest;
	unsigned min, max; /* for CLI_UINT and CLI_DURATION; max 0: no bound */
	bool list_commas;
};

/* Ends with a row whose name is NULL. */
struct cli_command {
	const char *prog;     /* "lvscare" or "install reset" */
	const char *synopsis; /* behind the name: "[options] --vs ADDRESS:PORT" */
	const char *summary;  /* one line */
	const char *text; /* paragraphs below the options, or NULL; one that begins with a blank is
	                     kept as it is */
	const struct cli_option *options;
};

/*
 * Parses argv[1..]; operands are collected in rest (refused when rest is NULL). Returns 0, or -1
 * with err (EXIT_USAGE), or 1 when --help or --version was printed on stdout. --help and --version
 * are understood everywhere without a row.
 */
int cli_parse(const struct cli_command *cmd, int argc, char **argv, struct strlist *rest,
              struct err *err);

void cli_help(const struct cli_command *cmd, FILE *out);
/* A man page in man(7) format, section 8. more: further commands (subcommands), or NULL. */
void cli_man(const struct cli_command *cmd, const struct cli_command *const *more, FILE *out);

/* A duration as above, in milliseconds; false when malformed or above 24 h. */
bool cli_duration(const char *s, unsigned *ms);
