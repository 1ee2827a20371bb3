/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "events.h"
#include "health/pool.h"

struct strbuf;

/*
 * What the daemon counts, and its text for Prometheus (exposition format 0.0.4). Pure: no clock, no
 * socket; times come in. Servers are known by address, so that a pool may change.
 */
#define METRICS_BUCKETS 11 /* of probe durations, without the one that has no bound */

struct metrics_server {
	struct addr addr;
	uint64_t since;                        /* ms: when its state changed last */
	uint64_t bucket[METRICS_BUCKETS + 1];  /* probes by duration, each once */
	uint64_t sum_ms;                       /* of all durations */
	uint64_t results[VERDICT_DEAD + 1];    /* probes by verdict */
	uint64_t transitions[SERVER_DOWN + 1]; /* by the state that began */
	char text[160];                        /* what was heard of it last */
};

struct metrics {
	struct metrics_server *server; /* n of them, DESTS_MAX at most */
	size_t n;
	const char *backend;            /* what forwards in the kernel, NULL: not known yet */
	double started;                 /* seconds of the epoch */
	uint64_t began;                 /* ms, the same on the loop's clock */
	uint64_t reconciled;            /* ms: when all was as wanted last; 0: never */
	uint64_t failures;              /* looks at the rules that failed */
	uint64_t repairs[CHANGE_KINDS]; /* changes back to what was wanted already */
	unsigned seen[CHANGE_KINDS];    /* events' counts when they were looked at last */
};

/* m is zeroed. */
void metrics_init(struct metrics *m, uint64_t now, double wall);
void metrics_release(struct metrics *m);
/* A probe of the pool's i-th server has ended after ms. */
void metrics_probe(struct metrics *m, const struct pool *p, size_t i, const struct probe_result *r,
                   uint64_t ms);
/* Its state has changed, because of what text says. */
void metrics_transition(struct metrics *m, const struct pool *p, size_t i, const char *text,
                        uint64_t now);
/*
 * The kernel was compared with what is wanted. expected: the wanted state had changed itself, so
 * that what ev counted since the last call are no repairs.
 */
void metrics_reconciled(struct metrics *m, const struct events *ev, bool ok, bool expected,
                        uint64_t now);
/* What is known of a server, or NULL. */
const struct metrics_server *metrics_find(const struct metrics *m, const struct addr *a);
/* Everything as text; wall is the time now in seconds of the epoch. */
void metrics_text(const struct metrics *m, const struct pool *p, const struct rules *rules,
                  uint64_t now, double wall, struct strbuf *out);
