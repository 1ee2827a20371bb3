// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct link;
struct ssh;
struct strbuf;

#define REMOTE_TOKEN_LEN 32 /* hexadecimal digits */

/*
 * Places this program on a machine and starts it there as root: over one channel, so that it works
 * where sshd allows no second one. The login shell (sh, csh, fish) is given a command that prints a
 * token; only when that was read back is anything else sent, first one line of shell text, then the
 * program's bytes, which the machine counts and compares with their digest before it runs them.
 * What the login prints besides is ignored, or quoted when it comes to nothing. The directory on
 * the machine is removed on every path, a lost connection too.
 *
 * On success *node is the link to `node serve`, past its greeting. It takes over s in any case.
 */
int remote_serve(struct ssh *s, const char *password, struct link *node, struct err *err);

/* ---- the pure parts, for tests ---- */

/* The command for the login shell, and the token's line of shell text that is sent after it. */
char *remote_command(const char token[static REMOTE_TOKEN_LEN + 1]);
char *remote_script(const char token[static REMOTE_TOKEN_LEN + 1], size_t size, const char *digest);

/* What one line that came from the machine is. */
enum remote_word {
	REMOTE_OTHER,   /* not ours */
	REMOTE_HELLO,   /* the command runs */
	REMOTE_LACKS,   /* rest: a program that the machine does not have */
	REMOTE_NO,      /* rest: a directory and why it cannot be used */
	REMOTE_SEND,    /* it waits for the program's bytes */
	REMOTE_NONE,    /* no directory could be used */
	REMOTE_PLACED,  /* rest: the number of the user */
	REMOTE_ENDED,   /* rest: exit status of what was tried */
	REMOTE_SERVING, /* the greeting of `node serve` */
};
/* Text before the token on the same line (a greeting without a newline) is ignored. rest points
 * into line. */
enum remote_word remote_parse(const char *line, const char token[static REMOTE_TOKEN_LEN + 1],
                              const char **rest);
/*
 * Foreign text made fit for a message: lines joined by "; ", cut to a bearable length, safe for a
 * terminal. Our prompts to sudo are left out.
 */
void remote_quote(const char *text, const char *token, struct strbuf *out);
/* The user whose password sudo asked for last in its output; false: it has not asked. */
bool remote_prompt(const char *text, const char *token, char user[static 64]);
