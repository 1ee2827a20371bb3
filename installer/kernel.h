// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>

struct err;
struct strbuf;

/*
 * Kernel modules and sysctls that a version wants: DIR/modules-load.d/kubecask.conf and
 * DIR/sysctl.d/90-kubecask.conf, where DIR is the version's directory.
 */

/* Loads the modules. *out becomes the text for /etc/modules-load.d: those that this kernel has
 * (systemd-modules-load.service would fail at each boot because of others). */
int kernel_load_modules(const char *dir, struct strbuf *out, struct err *err);

/* *out becomes the text for /etc/sysctl.d: without the limits of inotify that were higher on this
 * machine before us. Notes the values before us in the state, once. */
int kernel_sysctl_text(const char *dir, struct strbuf *out, struct err *err);
/* The values that the keys in text have now, as an object; the caller's. */
json_t *kernel_sysctl_values(const char *text);
/* Writes each value of text that differs. */
int kernel_set_sysctls(const char *text, struct err *err);
/* Writes values (from kernel_sysctl_values) back; returns how many could not be. */
size_t kernel_restore_sysctls(const json_t *values);
