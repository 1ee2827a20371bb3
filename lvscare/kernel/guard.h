/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "backend.h"
#include "drop.h"
#include "sysctl.h"

struct config;
struct err;
struct events;

/* Everything in the kernel that makes the virtual server work: rules, route, switches, drop rule.
 */
struct guard {
	const struct config *conf;
	enum backend_kind want;
	struct backend backend;
	struct nlsock routes;
	struct sysctl sysctl;
	struct drop drop; /* beside IPVS */
	bool drop_gone;   /* beside nftables: it was removed */
	bool open;
};

/* Opens the kernel's interfaces; changes nothing. Open already is fine. */
int guard_open(struct guard *g, const struct config *conf, struct err *err);
void guard_close(struct guard *g);
/* Refuses what cannot work on this node: EXIT_USAGE with the option at fault. */
int guard_check(struct guard *g, struct err *err);
/* Compares and repairs the rules; cheap. */
int guard_apply_rules(struct guard *g, const struct rules *rules, struct events *ev,
                      struct err *err);
/* The same for the switches, the drop rule and the route, whose source follows this node's address.
 */
int guard_apply_path(struct guard *g, struct events *ev, struct err *err);

/* All of it, once, with every real server: the command line's and those remembered. */
int guard_run_once(const struct config *c, struct events *ev, struct err *err);
/* Removes the virtual server, its route and the state file; what is not there is fine. */
int guard_clean(const struct config *c, struct events *ev, struct err *err);
