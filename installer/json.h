// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* A member of an object that another machine or program sent: it may be missing or of any type. */

/* The string, borrowed; "": missing, or no string. */
const char *json_text(const json_t *object, const char *key);
/* Whether it is true. */
bool json_flag(const json_t *object, const char *key);
