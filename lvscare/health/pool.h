/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kernel/rules.h"
#include "probe.h"

/*
 * What is known of the real servers, and what follows for the rules. Pure: no sockets, no clock.
 */
enum server_state {
	SERVER_NEW, /* not asked often enough yet: used, so that a start never takes anything away
	             */
	SERVER_UP,  /* used */
	SERVER_UNREADY, /* says no, or is too busy to answer: weight 0, its connections live on */
	SERVER_DOWN,    /* no sign of life, or no answer for long: not in the rules */
};

struct server {
	struct addr addr;
	enum server_state state;
	unsigned good;   /* answers in a row that were fine */
	unsigned bad;    /* answers in a row that were not */
	unsigned silent; /* of these, the last ones in a row without a sign of life */
	unsigned late;   /* of these, the last ones in a row without an answer */
	bool used;       /* was among the last ones that were up */
	unsigned share;  /* of SHARE_FULL: how much of its part it gets */
	uint64_t grows;  /* ms: when its share was set; 0: not looked at yet */
	bool leaving;    /* to be drained: no longer wanted */
};

#define SHARE_FULL 8
#define LATE_FALLS 4 /* times `fall` late answers in a row: no longer busy but dead */

struct pool {
	struct server server[DESTS_MAX];
	size_t n;
	unsigned fall, rise; /* results in a row that change the state */
	bool failed_open;    /* nothing is up: the rules hold what is left */
	unsigned ramp_ms;    /* from an eighth to the full share after a recovery; 0: at once */
};

void pool_init(struct pool *p, const struct addr *rs, size_t n, unsigned fall, unsigned rise);
bool pool_has(const struct pool *p, const struct addr *a);
/*
 * Another set of servers. Those that stay keep what is known of them; from[i] says where the i-th
 * was before, or -1. New ones are taken in as down: they are used once they have answered well.
 */
void pool_set(struct pool *p, const struct addr *rs, size_t n, int from[static DESTS_MAX]);
/*
 * Begins where an earlier process ended: table is what the kernel has. A server that is not in it,
 * or drained, stays so until it has answered well, and one with less than its share keeps that
 * much. A table without any of the servers changes nothing.
 */
void pool_start(struct pool *p, const struct rules_view *table);
/* Takes one result in; true when the server's state changed. */
bool pool_report(struct pool *p, size_t i, enum verdict v);
/*
 * The same for an answer on a connection that was open before. A good one there does not prove
 * that the server takes new connections, so it never ends silence.
 */
bool pool_hear(struct pool *p, size_t i, enum verdict v);
/* Whether a server is between two states: it is asked sooner again then. */
bool pool_in_transition(const struct pool *p, size_t i);
/* Whether one that is leaving can go: another that stays takes its connections. */
bool pool_replaced(const struct pool *p);
/*
 * Fills rules->dest and remembers who is up. While somebody is up: those at weight 1, unready ones
 * and, once replaced, leaving ones at weight 0. One that has come back begins with an eighth of its
 * share: the weights are 1 of 8, then 2, 4 and at last all 1 again. Nobody up: those that still
 * answer take all; not even one: the last ones that were up stay, or all servers if none ever was.
 */
void pool_rules(struct pool *p, struct rules *rules);
/* Lets the shares of servers that have come back grow; true when that changes the rules. */
bool pool_ramp(struct pool *p, uint64_t now);
const char *server_state_name(enum server_state s);
