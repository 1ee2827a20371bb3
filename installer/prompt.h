// SPDX-License-Identifier: Apache-2.0
#pragma once

struct err;

/*
 * Questions on the controlling terminal (/dev/tty), so that stdin may be anything. A signal that
 * ends or stops the program (^C, ^Z, SIGTERM, SIGHUP) acts after the terminal's echo is back.
 */

/* Asks for a line without echo; the caller's, to be erased. NULL without a terminal, after a signal
 * that the program survives, or at end of file. no_terminal: the sentence for the first. */
char *prompt_secret(const char *question, const char *no_terminal, struct err *err);

/* Asks with echo; the caller's. NULL as above. */
char *prompt_line(const char *question, const char *no_terminal, struct err *err);

/*
 * The first line of a file, or of stdin for "-"; the caller's, to be erased. Refused (usage) when
 * other users can change the file, or read it: their bits are set in its mode and in those of the
 * directories above it. Pipes have no such readers.
 */
char *prompt_password_file(const char *file, struct err *err);
