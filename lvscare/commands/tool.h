/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct cli_command;
struct err;

/* The commands for people, "lvscare status" and "lvscare check": they look and change nothing. */

/* Whether the command line begins with one of them. */
bool tool_named(int argc, char **argv);
/* Runs it. Returns the exit status, or -1 with err. */
int tool_run(int argc, char **argv, struct err *err);
/* The man page of main and these commands. */
void tool_man(const struct cli_command *main, FILE *out);
