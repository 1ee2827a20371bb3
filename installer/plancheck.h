// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stddef.h>

struct err;
struct strbuf;

/*
 * Compares what happened with what was planned. plan: as plan_json has it. events: an array of the
 * objects that --json prints. Appends a line for each difference to out and returns their number:
 * steps that ran and were not planned, under another name or on another machine; that began before
 * what they need had succeeded or what they come after had ended; that began twice; that did not
 * end; that were skipped although all that they need had succeeded.
 */
size_t plancheck(const json_t *plan, const json_t *events, struct strbuf *out);

/* The lines of a file that --json printed, as an array; the caller's. NULL with EXIT_USAGE. */
json_t *plancheck_read(const char *path, struct err *err);
/* The one object of that type in it, borrowed; NULL with EXIT_USAGE when there is none. */
json_t *plancheck_find(const json_t *lines, const char *type, const char *path, struct err *err);
