/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "events.h"
#include "health/pool.h"

struct strbuf;

/*
 * What the daemon counts besides what each server has (health/server.h), and all of it as text for
 * Prometheus (exposition format 0.0.4). Pure: no clock, no socket; times come in.
 */
struct metrics {
	const char *backend;            /* what forwards in the kernel, NULL: not known yet */
	double started;                 /* seconds of the epoch */
	uint64_t began;                 /* ms, the same on the loop's clock */
	uint64_t looked;                /* ms: when the rules were last looked at; 0: never */
	uint64_t reconciled;            /* ms: when all was as wanted last; 0: never */
	bool no_way;                    /* this node has no route to any server */
	uint64_t failures;              /* looks at the rules that failed */
	uint64_t repairs[CHANGE_KINDS]; /* changes back to what was wanted already */
	unsigned seen[CHANGE_KINDS];    /* events' counts when they were looked at last */
};

/* m is zeroed. */
void metrics_init(struct metrics *m, uint64_t now, double wall);
/*
 * The kernel was compared with what is wanted. expected: the wanted state had changed itself, so
 * that what ev counted since the last call are no repairs.
 */
void metrics_reconciled(struct metrics *m, const struct events *ev, bool ok, bool expected,
                        uint64_t now);
/* Everything as text; wall is the time now in seconds of the epoch. */
void metrics_text(const struct metrics *m, const struct pool *p, const struct rules *rules,
                  uint64_t now, double wall, struct strbuf *out);
