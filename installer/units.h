// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strbuf.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * Our files in /etc: two units, a sysctl.d and a modules-load.d file. They are copies, so that they
 * are there at boot before /opt is mounted; the first line says that they are ours and what the
 * digest of the other lines was. Drop-ins beside them are the user's and are never touched.
 */
#define UNITS_MARK "# placed by kubecask, sha256:"

/* The unit by which systemd starts kubelet should an upgrade end between its stop and its start. */
#define UNIT_START_KUBELET "kubecask-start-kubelet"

/* Is the file (or link, as earlier versions made them) ours? False for what cannot be read. */
bool units_is_ours(const char *path);

/* New versions of the files, written beside the old ones and not active yet. Zeroed is empty. */
struct units {
	struct {
		char *path, *tmp; /* tmp is NULL when the file is right as it is */
	} v[4];
	size_t n;
	struct strlist saved; /* copies of our files that had been edited */
};

/* Prepares all files from the version's directory dir, modules and sysctl being the texts of
 * kernel.h. A file of somebody else's in the way is a failure. Returns 0 or -1; nothing changed. */
int units_prepare(struct units *u, const char *dir, const char *modules, const char *sysctl,
                  struct err *err);
bool units_changed(const struct units *u);
/* Renames the new files into place. */
int units_commit(struct units *u, struct err *err);
void units_remove_leftovers(void);   /* of a process that was killed */
void units_release(struct units *u); /* with the temporary files that were not committed */

/* Removes our files and what enables our units. */
int units_remove(struct err *err);

/* "systemd does not run on this machine" is a failure. */
int units_check_systemd(struct err *err);
bool units_enabled(void);
int units_reload_and_enable(struct err *err);
/* Starts containerd when it does not run; restarts it when restart is set or when the program that
 * runs is another than dir/bin/containerd. */
int units_start_containerd(const char *dir, bool restart, struct err *err);
/* Stops and disables both units; what does not run is no failure. */
void units_stop(void);
