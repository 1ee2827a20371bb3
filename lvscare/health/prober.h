/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "pool.h"
#include "sentinel.h"

struct config;
struct events;
struct metrics;
struct trust;

/*
 * Who asks the real servers: each has a probe each `interval` and, once one was answered, a
 * sentinel. As long as that answers on its connection, a probe on a new one, whose handshake costs
 * far more than a question, comes only each PROBERS_REST intervals.
 */
#define PROBERS_REST 5

/* epoll data of a server's sentinel; those of the probes are the servers' indices */
#define SLOT_SENTINEL 0x100

struct prober {
	struct probe probe;
	struct sentinel sentinel;
	uint64_t next;       /* ms: when the next probe starts */
	uint64_t down_since; /* ms, 0: it is not */
	uint64_t leaves;     /* ms: when one that is leaving was replaced; 0: not yet */
	uint64_t alarmed;    /* ms: when the sentinel called for a probe */
	bool again;          /* it did so while one was under way */
};

/* What they share is borrowed and must stay where it is. */
struct probers {
	struct pool *pool;
	const struct config *conf;
	const struct trust *trust;
	struct metrics *metrics;
	struct events *events;
	int epoll;
	/* called when a server's state has changed, told and counted already */
	void (*changed)(void *ctx, size_t i, uint64_t now);
	void *ctx;
	struct prober v[DESTS_MAX]; /* one for each server of the pool */
};

/* Everything whose time has come. */
void probers_turn(struct probers *ps, uint64_t now);
/* When (ms) the next thing is due. */
uint64_t probers_due(const struct probers *ps);
/* The socket of this epoll slot is ready. */
void probers_ready(struct probers *ps, uint32_t slot, uint64_t now);
/* Ends all that is under way. */
void probers_stop(struct probers *ps);
/* And begins anew with probes at next (ms). */
void probers_restart(struct probers *ps, uint64_t next);
/* After pool_set: from[i] as there, old_n servers before it. Probes under way begin anew,
 * sentinels go on. */
void probers_set(struct probers *ps, const int from[static DESTS_MAX], size_t old_n, uint64_t now);
