/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kernel/rules.h"
#include "server.h"

/*
 * What follows from what is seen of the real servers: their states, and the rules. Pure: no
 * sockets, times come in.
 *
 * A probe is a new connection; the kept connection is asked between two probes. "x fall" is that
 * many in a row. "Witnessed" means that another server has replied while this one did not: without
 * that, silence is as likely this node's fault, and proves nothing.
 *
 *   seen                               up          suspect     unready     overloaded  down
 *   probe: ready                       .           up          up x rise   up x rise   up x rise
 *   probe: says no                     unready(a)  unready     .           unready     unready
 *   probe: acknowledged, no answer     overl.(a)   overl.(a)   overl.(a)   down(d)     .
 *   probe: SYN unanswered for 250 ms   suspect     .           .           .           .
 *   probe: no reply at all             suspect     down(b)     down(b)     down(b)     .
 *   probe: a reply that is no answer   suspect     down(a)(d)  down(a)(d)  down(a)(d)  .
 *   probe: refused or reset            down(c)     down(c)     down(c)     down(c)     .
 *   probe: failed on this node         .           .           .           .           .
 *   kept: ready                        .           up(e)       up x rise   .           -
 *   kept: says no                      unready(a)  unready(a)  .           unready(a)  -
 *   kept: not acknowledged in time     suspect     .           .           .           -
 *   kept: acknowledged, no answer      overl.(a)   overl.(a)   overl.(a)   .           -
 *   kept: closed by the server         (probed at once; down if the last probe was refused)
 *
 *   (a) x fall; a suspect that says no: at once   (b) x fall, witnessed, and (d)
 *   (c) and the kept connection was lost, or is silent and this is witnessed; suspect otherwise
 *   (d) x 4 fall, and never while the kept connection answers
 *   (e) unless new connections fail
 *
 * A new server counts as up, but for a first probe that is ready (up) and for silence (new still).
 */
#define LATE_FALLS 4     /* times `fall` timeouts in a row: no longer overloaded but dead */
#define RECENT_MS  10000 /* who was up so shortly before all were lost takes connections then */
#define RETURN_MS  1000  /* and so long after one has come back */

struct pool {
	struct server *server[DESTS_MAX]; /* n, owned */
	size_t n;
	unsigned fall, rise;   /* results in a row that change the state */
	unsigned ramp_ms;      /* from an eighth to the full share after a recovery; 0: at once */
	bool failed_open;      /* nothing is usable: the rules hold what is left */
	uint64_t lost;         /* ms: since when nothing is usable; 0: something is */
	uint64_t return_until; /* ms: what was open stays in the rules */
	bool stale;            /* the rules are to be made anew, and no state has changed */
};

void pool_init(struct pool *p, const struct addr *rs, size_t n, unsigned fall, unsigned rise,
               uint64_t now);
void pool_release(struct pool *p);
struct server *pool_find(const struct pool *p, const struct addr *a);
/* The server of an epoll slot, or NULL. */
struct server *pool_by_slot(const struct pool *p, uint32_t slot);
/* Another set of servers. Those that stay go on as they are; new ones are used once they have
 * answered well. */
void pool_set(struct pool *p, const struct addr *rs, size_t n, uint64_t now);
/*
 * Begins where an earlier process ended: table is what the kernel has. A server that is not in it,
 * or drained, stays so until it has answered well, and one with less than its share keeps that
 * much. A table without any of the servers changes nothing.
 */
void pool_start(struct pool *p, const struct rules_view *table);
/* Take one result in; true when the server's state changed. */
bool pool_probed(struct pool *p, struct server *s, enum verdict v, bool witnessed, uint64_t now);
bool pool_syn_late(struct pool *p, struct server *s, uint64_t now);
bool pool_kept(struct pool *p, struct server *s, enum kept_result k, enum verdict v, uint64_t now);
/* Whether any server is up, or new. */
bool pool_any_usable(const struct pool *p);
/* Whether none is, and that is not mere suspicion. */
bool pool_all_lost(const struct pool *p);
/* Whether a server is between two states: it is probed sooner again then. */
bool pool_in_transition(const struct pool *p, const struct server *s);
/*
 * Fills rules->dest. While something is usable: that at weight 1, suspect, unready and overloaded
 * servers at weight 0. One that has come back begins with an eighth of its
 * share: the weights are 1 of 8, then 2, 4 and at last all 1 again. Nothing usable: all that are
 * not proven dead; none of these: all that were up within RECENT_MS before the last one was lost;
 * none of these: all. For RETURN_MS after one has come back the others stay, unless they are found
 * bad once more; one good result is enough for them.
 */
void pool_rules(struct pool *p, struct rules *rules, uint64_t now);
/* Lets shares grow and ends what RETURN_MS is for; true when the rules change by that, or by a
 * result that has changed no state. */
bool pool_tick(struct pool *p, uint64_t now);
