/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct err;
struct strbuf;
struct strlist;

/*
 * kubeadm-patches/series: one line for each thing that a range of versions gets, "FROM TO PATH":
 * versions or minors, both included, and a patch or a folder of new files below dir ("1.30 1.37
 * overlay", "1.34.0 1.34.1 x.patch").
 */

/*
 * The full paths for a version such as v1.37.2, in order. A version that no line covers is refused
 * by name; name is that of the text, for messages.
 */
int series_select(const char *name, const char *text, const char *dir, const char *version,
                  struct strlist *out, struct err *err);

bool patch_is_patch(const char *path);

/* What a patch or a folder of new files is made of, as lines "name digest"; tests do not count. */
int patch_inputs(const char *path, struct strbuf *out, struct err *err);

/* Applies patches with patch -p1 --fuzz=0; a failure names patch, file and hunk. */
int patch_apply(const char *tree, const char *patch, struct err *err);
