// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;

/* What a machine is at, for the sinks that show it to people. */
struct activity {
	char machine[64], name[64], text[160]; /* of the step; what it is at, or "" */
	uint64_t now, of;                      /* bytes */
	long long began, since;                /* ms, monotonic: of the step, of what it is at */
};

/* Of all machines that are at work, in the order in which they began. Zeroed is empty. */
struct activities {
	struct activity *v;
	size_t n;
	const struct activity *changed; /* by the last event: it is at something else; or NULL */
};

#define ACTIVITY_LINE 1300 /* bytes of a line, at most */

/* Takes an event. True: line is worth a line of its own: a note, a failure, the end of a step that
 * took half a second and more. */
bool activities_take(struct activities *a, const struct event *e, char line[static ACTIVITY_LINE]);
void activities_release(struct activities *a);

/* "copy 12/80 MB, 40 MB/s", or what the machine is at; else the step's name. */
void activity_describe(const struct activity *a, char *buf, size_t len);
