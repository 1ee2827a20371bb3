/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "ipvs.h"
#include "probe.h"

/*
 * What is known of the real servers, and what follows for the rules. Pure: no sockets, no clock.
 */
enum server_state {
	SERVER_NEW, /* not asked often enough yet: used, so that a start never takes anything away
	             */
	SERVER_UP,  /* used */
	SERVER_UNREADY, /* answers, but says no: weight 0, its connections live on */
	SERVER_DOWN,    /* does not answer: not in the rules */
};

struct server {
	struct addr addr;
	enum server_state state;
	unsigned good;   /* answers in a row that were fine */
	unsigned bad;    /* answers in a row that were not */
	unsigned silent; /* of these, the last ones in a row that were no answer at all */
	bool used;       /* was among the last ones that were up */
};

struct pool {
	struct server server[DESTS_MAX];
	size_t n;
	unsigned fall, rise; /* results in a row that change the state */
	bool failed_open;    /* nothing is up: the rules hold what is left */
};

void pool_init(struct pool *p, const struct addr *rs, size_t n, unsigned fall, unsigned rise);
bool pool_has(const struct pool *p, const struct addr *a);
/*
 * Another set of servers. Those that stay keep what is known of them; from[i] says where the i-th
 * was before, or -1. New ones are taken in as down: they are used once they have answered well.
 */
void pool_set(struct pool *p, const struct addr *rs, size_t n, int from[static DESTS_MAX]);
/* Takes one result in; true when the server's state changed. */
bool pool_report(struct pool *p, size_t i, enum verdict v);
/* Whether a server is between two states: it is asked sooner again then. */
bool pool_in_transition(const struct pool *p, size_t i);
/*
 * Fills rules->dest and remembers who is up. While somebody is up: those at weight 1, unready ones
 * at weight 0. Nobody up: those that still answer take all; not even one: the last ones that were
 * up stay, or all servers if none ever was.
 */
void pool_rules(struct pool *p, struct rules *rules);
const char *server_state_name(enum server_state s);
