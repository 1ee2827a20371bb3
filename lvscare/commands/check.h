/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>

struct inspection;

/* Prints one line per check to out, "ok", "warning" or "error" first; returns how many errors. */
unsigned check_all(const struct inspection *v, const char *ca_file, FILE *out);
