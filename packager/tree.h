/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct err;
struct strbuf;

/* Copies the files of a directory tree over another one; what is copied is writable. */
int tree_copy(const char *from, const char *to, struct err *err);

/* One line "path digest" for each file below dir, sorted, but for Go tests; nothing when dir is not
 * there. */
int tree_digest(const char *dir, struct strbuf *out, struct err *err);

/* A digest of all files below dir: paths, bytes, whether they can be run; links with their targets.
 */
struct digest;
int tree_seal(const char *dir, struct digest *out, struct err *err);

/* All files and links below dir, as relative paths, sorted. */
struct strlist;
int tree_list(const char *dir, struct strlist *out, struct err *err);

/*
 * Makes the Go program in dir importable: "package main" becomes "package NAME" (the directory's
 * name without dashes) and its main function Main. Tests are removed.
 */
int tree_make_importable(const char *dir, struct err *err);
