// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct job;
struct jobs;

#define UI_TICK_MS 200

/* What the user sees while it runs, on stderr: a line per step with its time; on a terminal also a
 * last line that shows what each machine is doing. */
struct ui {
	FILE *out;
	bool live;              /* a terminal: the status line is redrawn */
	bool drawn;             /* the status line is there */
	long long began, shown; /* ms */
};

void ui_init(struct ui *ui);
/* A line of its own: "   3.2 s  text". */
void ui_say(struct ui *ui, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ui_job_progress(struct ui *ui, struct job *j);
void ui_job_done(struct ui *ui, struct job *j);
void ui_tick(struct ui *ui, const struct jobs *jobs);
void ui_clear(struct ui *ui); /* removes the status line */
/* "43/88 MB" */
void ui_bytes(char *buf, size_t len, unsigned long long now, unsigned long long of);
