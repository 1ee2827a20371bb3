/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "pool.h"

struct events;
struct tls_trust;

/*
 * Probes the real servers: each has a probe each `interval` and, once one was answered, a kept
 * connection. As long as that answers, a probe on a new one, whose handshake costs far more than a
 * question, comes only each PROBER_REST intervals. Whatever is seen goes to the pool, which
 * decides.
 */
#define PROBER_REST 5

/* epoll data of a server's kept connection; that of its probe is the server's slot */
#define SLOT_KEPT 0x100

/* What is borrowed must stay where it is. */
struct prober {
	struct pool *pool;
	const struct probe_conf *conf;
	unsigned interval_ms, fast_ms;     /* between probes: steady, and in transition */
	struct tls_trust *const *trust;    /* whom to believe */
	struct tls_trust *const *identity; /* the same with a client certificate; or NULL in it */
	struct events *events;
	int epoll;
	/* called when a server's state has changed, logged and counted already */
	void (*changed)(void *ctx, struct server *s, uint64_t now);
	void *ctx;
	bool local_logged; /* that probes fail on this node */
};

/* Starts probes and kept connections' questions, and ends those whose time is over. */
void prober_run_due(struct prober *p, uint64_t now);
/* When (ms) the next thing is due. */
uint64_t prober_due(const struct prober *p);
/* The socket of this epoll slot is ready. */
void prober_ready(struct prober *p, uint32_t slot, uint64_t now);
/* This process could not run for ms, now over: no server is to blame for that. */
void prober_postpone(struct prober *p, uint64_t ms);
/* Something was usable again after a time without: everybody is probed at once. */
void prober_all_now(struct prober *p, uint64_t now);
