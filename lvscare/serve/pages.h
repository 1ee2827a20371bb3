/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "metrics.h"

struct strbuf;

/* The daemon's state as it tells it: everything borrowed. Pure. */
struct pages {
	const struct pool *pool;
	const struct rules *rules;
	const struct metrics *metrics;
	bool manages_expire; /* expire_nodest_conn is 1 when it is needed, see kernel/sysctl.h */
	const char *trouble; /* why the rules cannot be written, or "" */
	unsigned tick_ms;    /* between two looks at the rules */
	uint64_t now;        /* ms, the loop's clock */
	double wall;         /* seconds of the epoch */
};

/* "" while the rules are as wanted, else since when and why not (in buf). */
const char *pages_trouble(const struct pages *r, char *buf, size_t cap);
/*
 * A page of the daemon's endpoint, as listen_page_fn: /healthz (503 only when the loop is stuck:
 * the kubelet restarts the container then, which helps against nothing else), /metrics, and
 * /status, whose lines are read by commands/daemon.h.
 */
int pages_get(const struct pages *r, const char *path, struct strbuf *body, const char **type);
