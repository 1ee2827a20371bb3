/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "ipvsmsg.h"
#include "nlsock.h"

struct err;
struct events;

#define DESTS_MAX                                                                       \
	64 /* real servers of one service; more strangers are removed in the next round \
	    */

/* What the kernel shall hold for one virtual server. */
struct rules {
	struct addr vs;
	const char *scheduler;
	struct rules_dest {
		struct addr addr;
		uint32_t weight; /* 0: drained, its connections live on */
	} dest[DESTS_MAX];
	size_t n;
};

/* A connection to the kernel's IPVS; a second backend would offer the same four functions. */
struct ipvs {
	struct nlsock sock;
	uint16_t family;
	bool missing; /* why it could not be opened: the kernel has no IPVS */
};

/* The kernel loads ip_vs on the way. Without IPVS the failure names the way out. */
int ipvs_open(struct ipvs *b, struct err *err);
void ipvs_release(struct ipvs *b);
/*
 * Compares and repairs: service, scheduler, real servers, weights. What is missing is added before
 * anything is removed; nothing but the service at rules->vs is ever touched. Each change is an
 * event.
 */
int ipvs_apply(struct ipvs *b, const struct rules *rules, struct events *ev, struct err *err);
/* Removes the service; one that is not there is fine. */
int ipvs_remove(struct ipvs *b, const struct addr *vs, struct events *ev, struct err *err);

/* A service as the kernel has it; svc.addr.family 0: it has none. */
struct ipvs_view {
	struct ipvs_service svc;
	struct ipvs_dest dest[DESTS_MAX];
	size_t n;
};

/* Reads without changing anything. */
int ipvs_read(struct ipvs *b, const struct addr *vs, struct ipvs_view *out, struct err *err);
/* Takes vs' port from the kernel's service at its address; false when there is none. */
bool ipvs_find_port(struct ipvs *b, struct addr *vs);
