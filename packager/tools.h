/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct err;

/* Versions of the compilers, for keys and locks: "go1.26.8", "gcc (Debian ...) 12.2.0"; the
 * caller's. */
char *go_version(struct err *err);
char *gcc_version(struct err *err);
