/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "log.h"

#include <stdint.h>

/* What was changed in the kernel; counted where it is logged. */
enum change {
	CHANGE_VIRTUAL_SERVER,
	CHANGE_REAL_SERVER,
	CHANGE_ROUTE,
	CHANGE_SYSCTL,
	CHANGE_DROP_RULE,
	CHANGE_KINDS
};

/*
 * What the daemon tells: one line per change of state, at most a burst of 60 lines and then one
 * every 2 s; how many were left out is said with the next one that is printed.
 */
struct events {
	uint64_t now;      /* ms; set by the loop before it works */
	uint64_t refilled; /* ms, when tokens was last brought up to date */
	unsigned tokens;
	unsigned left_out;
	unsigned total; /* lines logged or left out, so far */
	unsigned changed[CHANGE_KINDS];
};

void events_init(struct events *ev, uint64_t now);
void event(struct events *ev, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
