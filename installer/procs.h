// SPDX-License-Identifier: Apache-2.0
#pragma once

/* Ends everything that runs in containers: the control groups below kubepods. */
void procs_kill_pods(void);
/* Ends the processes whose program lies in DIR_OPT (kubelet, containerd, its shims), except this
 * one. */
void procs_kill_ours(void);
