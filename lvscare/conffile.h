/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct cli_option;
struct err;
struct strlist;

/*
 * A file of options, one each line: the long name, a blank, the value. Empty lines and those that
 * begin with # count for nothing. Each becomes a word "--name=value" of a command line; its value
 * is not looked at. Options that choose what to do (not_in_file, NULL-terminated) are refused.
 */
int conffile_read(const char *path, const struct cli_option *options,
                  const char *const *not_in_file, struct strlist *words, struct err *err);
