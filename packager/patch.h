/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

struct err;
struct strlist;

/*
 * kubeadm-patches/series: one line for each range of versions, "FROM TO DIRECTORY": minors, both
 * included ("1.37 1.37 1.37"). The patches of a directory are NNNN-topic.patch, in that order.
 */

/* The directory for a version such as v1.37.2; the caller's. A version outside is refused by name.
 */
char *series_find(const char *name, const char *text, const char *version, struct err *err);

/* All *.patch files of a directory, sorted; full paths. */
int patch_list(const char *dir, struct strlist *out, struct err *err);

/* Applies patches with patch -p1 --fuzz=0; a failure names patch and file. */
int patch_apply(const char *tree, const char *patch, struct err *err);
