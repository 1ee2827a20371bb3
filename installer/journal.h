// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>

struct err;

/*
 * What happened on this node, in DIR_STATE: `journal`, lines of text with their time (journal() in
 * state.h), and `steps.jsonl`, one JSON object on each line for the steps of a plan:
 *   {"time","run","step","name","event","before"}
 * event is "begin", "done", "failed" or "undone"; before (may be absent) is what was there, as the
 * step's undo wants it. Both files start anew at 4 MiB, the old one is kept as *.1.
 */

/* Appends a step and makes it durable. Takes over before (may be NULL). */
int journal_step(const char *run_id, const char *step_id, const char *name, const char *event,
                 json_t *before, struct err *err);
/* The steps of a run in their order (all runs when run_id is NULL) as an array, the caller's. A
 * line that was cut by a crash is left out. */
int journal_read(const char *run_id, json_t **out, struct err *err);
