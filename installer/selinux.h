// SPDX-License-Identifier: Apache-2.0
#pragma once

/* Gives path, and all below it when it is a directory, the labels of the policy (restorecon(8));
 * nothing where SELinux is off or has no such tool. A failure is noted in the journal. */
void selinux_restore(const char *path);
