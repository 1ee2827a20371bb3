// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct candidate;

/*
 * API servers, controller managers and schedulers of a new minor version can work as those of the
 * minor version before (--emulated-version, KEP-4330): what they store can be read by the old ones,
 * so that the way back is open until they stop doing so (commit). Pure: nothing is asked or
 * changed.
 */

#define MINOR_MAX 16 /* bytes of "1.36" with its end */

/* "v1.36.1" -> "1.36"; "" when it is no version. */
void minor_of(const char *version, char minor[static MINOR_MAX]);

/* "1.36": the minor version that an API server works as; "" when it did not say its version.
 * apiserver: of the answer to op "cluster". */
void emulation_minor(const json_t *apiserver, char minor[static MINOR_MAX]);

/* Does the API server work as an older minor version than its own? */
bool emulation_is_on(const json_t *apiserver);

/*
 * The minor version that API servers of version to ("v1.37.2") shall work as until commit, from the
 * answers of the masters to op "cluster". "": none; their cluster has that minor version already,
 * or a way back over this minor version was not proved.
 */
void emulation_wanted(const struct candidate *c, size_t n, const char *to,
                      char minor[static MINOR_MAX]);
