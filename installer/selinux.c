// SPDX-License-Identifier: Apache-2.0
#include "selinux.h"

#include "err.h"
#include "fs.h"
#include "proc.h"
#include "state.h"

#define COMMAND_S 300

void selinux_restore(const char *path)
{
	const char *argv[] = {"restorecon", "-R", path, NULL};
	const struct proc_opts opts = {.timeout_s = COMMAND_S};
	struct err why = {0};

	if (!fs_exists("/sys/fs/selinux/enforce"))
		return;
	if (proc_check(argv, &opts, NULL, &why) < 0)
		journal("restorecon %s: %s", path, why.msg);
}
