// SPDX-License-Identifier: Apache-2.0
#pragma once

struct err;

/* A folder dir with kubeadm's patches (--patches) that let API server, controller manager and
 * scheduler work as minor version "1.36", and copies of those in the folder user ("": none), which
 * come first. What was there before is removed. -1 with err. */
int emulation_patches_make(const char *dir, const char *minor, const char *user, struct err *err);
void emulation_patches_remove(const char *dir);
