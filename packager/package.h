/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct err;
struct settings;

/* Makes the package of a version, from the descriptions to the files in out. */
int package_make(const struct settings *set, const char *version, struct err *err);
