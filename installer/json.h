// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct strlist;

/* The strings in their order; the caller's. */
json_t *json_strings(const struct strlist *l);

/* A member of an object that another machine or program sent: it may be missing or of any type. */

/* The string, borrowed; "": missing, or no string. */
const char *json_text(const json_t *object, const char *key);
/* Whether it is true. */
bool json_flag(const json_t *object, const char *key);
