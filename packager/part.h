/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "conf.h"
#include "strbuf.h"

#include <stdbool.h>

struct err;

/*
 * One Go program of the bundle, as packager/parts/NAME/part.conf describes it. Keys:
 *   module   "PATH VERSION", repeated; the first is the main one
 *   package  what to compile; default ".", the *.go files beside part.conf
 *   output   the file's path in its layer; links: more names for it, in the same directory;
 *            links-v1-30: more names in minor 1.30 of the main module
 *   tags, ldflags (repeated), cgo = yes, component (name in the bundle's annotations)
 *   copy = yes      the main module is compiled from a patched copy
 *   copy = PATH     so is that module of the list; repeated
 *   patch           a patch to the main module's copy, relative to part.conf; repeated. Another
 *                   module's: "PATH FILE"
 *   series = yes    the main module's copy gets kubeadm-patches too
 *   mains           directory of a copy whose package main becomes importable; repeated. In
 *                   another module's: "PATH DIRECTORY"
 *   staging = yes   requirements at v0.0.0 are replaced by the staging modules' own versions
 *   input           files of this machine that are linked in, for the cache key
 *   test = yes      what `go test -c` makes of the package
 *   setuid = yes    runs with the rights of its owner, root
 */
struct part {
	char *name, *dir;
	struct conf conf;       /* values expanded */
	struct strlist modules; /* "PATH VERSION" */
	const char *package, *output, *component;
	bool series, staging, cgo, test, setuid;
};

int part_load(const char *dir, const char *name, const struct conf *vars, struct part *out,
              struct err *err);
void part_release(struct part *p);

/* The minor of the main module, with a separator: "v1_30" or "v1-30"; the caller's. */
char *part_minor(const struct part *p, char separator);

/* Is module number i compiled from a copy, which lies beside the part's sources as part_copy_dir?
 */
bool part_copies(const struct part *p, size_t i);
/* "module" for the main module, "module-1" for the next one; the caller's. */
char *part_copy_dir(size_t i);

/*
 * The next value of a key ("patch", "mains") that is for module number i, without the module's
 * path; NULL after the last. at begins with 0.
 */
const char *part_next_of(const struct part *p, const char *key, size_t i, size_t *at);

/* The path and the version of "PATH VERSION"; the caller's. */
void part_module(const char *module, char **path, char **version);
