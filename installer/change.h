// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strbuf.h"
#include "units.h"

#include <jansson.h>
#include <stdbool.h>

struct err;

/*
 * A change of the active version, in two parts: change_prepare does everything that can fail, under
 * temporary names; change_commit renames. Zeroed is empty.
 */
struct change {
	char *name, *dir; /* of the version */
	struct strbuf modules, sysctl;
	struct units units;
	bool switches;      /* `current` leads to another version; its successor is prepared */
	bool link_commands; /* DIR_BIN can be written to */
	bool changed;       /* something was different before */
};

/* Removes the temporary files of one that was killed. */
void change_remove_leftovers(void);
int change_prepare(struct change *c, const char *name, struct err *err);
int change_commit(struct change *c, struct err *err);
void change_release(struct change *c); /* what was not committed is removed */

/* Sysctls, systemd, containerd; old_dir is the version that ran before (NULL: none). containerd is
 * restarted only when its program, configuration or unit differ in the two. */
int change_start(struct change *c, const char *old_dir, struct err *err);
/* For a version that is active already: places what is missing, starts what does not run. */
int change_repair(struct change *c, struct err *err);

/* This program becomes the one kept on the node; keep_old: the old one is kept beside it for
 * change_restore_self, until change_forget_self. */
int change_place_self(bool keep_old, struct err *err);
int change_restore_self(struct err *err);
void change_forget_self(void);

/* The values that the sysctls of the version have now; the caller's. */
json_t *change_sysctls_now(const struct change *c);
/* Writes member "sysctl" of before back. */
void change_restore_sysctls(const json_t *before);
/* What a controller may want to know: {kubelet_changed,saved,links}. before may be NULL. */
void change_describe(const struct change *c, const json_t *before, json_t *result);
/* Removes `current`, the commands' links, the files in /etc. */
int change_remove(struct err *err);
