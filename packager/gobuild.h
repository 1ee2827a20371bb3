/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct conf;
struct err;
struct lock;
struct part;
struct strbuf;
struct strlist;

struct gobuild {
	const struct part *part;
	const struct lock *lock; /* NULL: any input is accepted, and noted in the record */
	const char *work;        /* src/NAME below it is the build's own */
	struct strlist *patches; /* and folders of new files for the copy, full paths, in order */
	const char *key;         /* of the step: part of the program's file name */
};

/* What the program depends on, beside the toolchain, as text for the key. */
int gobuild_inputs(const struct gobuild *g, struct strbuf *out, struct err *err);

/*
 * Fetches the modules, copies and patches the main one where the part says so, writes go.mod,
 * compiles. Adds to the record: file, size, sha256, module-dir (the main module in Go's cache), and
 * a "lock" line for each input.
 */
int gobuild_run(const struct gobuild *g, struct conf *record, struct err *err);
