// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

struct err;

/*
 * The links in DIR_BIN, so that kubectl and the other commands are in PATH. They lead through
 * DIR_CURRENT and so need no change when it is switched. Where DIR_BIN cannot be written to (a
 * read-only /usr) there are none: the commands are in DIR_CURRENT/bin all the same.
 */

/* May the links for the version in dir be placed? A file of somebody else's in the way is a
 * failure that names it. *writable is false where there will be none. */
int commands_check(const char *dir, bool *writable, struct err *err);
/* Places what is missing and removes ours that dir has no command for; *changed is set when that
 * was something. */
int commands_place(const char *dir, bool *changed, struct err *err);
void commands_remove(void);
void commands_remove_leftovers(void); /* of a process that was killed */

/* Is the path a link to something below DIR_OPT? */
bool commands_link_is_ours(const char *path);
