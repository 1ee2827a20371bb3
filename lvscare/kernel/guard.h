/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "backend.h"
#include "drop.h"
#include "sysctl.h"

struct config;
struct err;
struct events;
struct rules;

/* Everything in the kernel that makes the virtual server work: rules, route, switches, drop rule.
 */
struct guard {
	const struct config *conf;
	enum backend_kind want;
	struct backend backend;
	struct nlsock routes;
	struct sysctl sysctl;
	struct drop drop;         /* beside IPVS */
	bool drop_gone;           /* beside nftables: it was removed */
	uint64_t look_for_others; /* ms: when services of others are looked for next */
	bool open;
	char no_way[256];        /* why no real server can be reached from here, "" when one can */
	bool own_address_logged; /* that the virtual address is one of this node's */
};

/* Opens the kernel's interfaces; changes nothing. Open already is fine. */
int guard_open(struct guard *g, const struct config *conf, struct err *err);
void guard_close(struct guard *g);
/* Refuse what cannot work on this node, with EXIT_USAGE and the option at fault: a virtual address
 * that an interface has; a --node-ip that none has. */
int guard_check_vs(struct guard *g, struct err *err);
int guard_check_node_ip(struct guard *g, struct err *err);
/* Fails when there is no way to any real server. */
int guard_check_way(struct guard *g, const struct rules *rules, struct err *err);
/* The first of these may also come true later: logs that once. */
void guard_watch_vs(struct guard *g, struct events *ev);
/* Compares and repairs the rules; cheap. */
int guard_apply_rules(struct guard *g, const struct rules *rules, struct events *ev,
                      struct err *err);
/*
 * The same for the switches, the drop rule and the route. Its source is this node's address towards
 * the real servers of the rules, or those of --rs. While there is no way to any of them the route
 * stays as it is, which is no failure: no_way says why.
 */
int guard_apply_path(struct guard *g, const struct rules *rules, struct events *ev,
                     struct err *err);
/* The daemon ends: what it needed for itself is set back. Rules and route stay. */
void guard_end(struct guard *g);
