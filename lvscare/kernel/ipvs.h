/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cut.h"
#include "ipvsmsg.h"
#include "nlsock.h"
#include "rules.h"
#include "sysctl.h"

struct err;
struct events;

/* A connection to the kernel's IPVS (see backend.h). */
struct ipvs {
	struct nlsock sock;
	uint16_t family;
	bool missing;           /* why it could not be opened: the kernel has no IPVS */
	bool scheduler_missing; /* why the last service could not be written */
	struct cut cut;         /* clients of the server that is being removed */
	struct sysctl *sysctl;  /* told of removals; NULL: nobody is */
	bool no_wrr;            /* the kernel has no module ip_vs_wrr: rr stands in for it */
};

/* The kernel loads ip_vs on the way. Without IPVS the failure names the way out. */
int ipvs_open(struct ipvs *b, struct err *err);
void ipvs_release(struct ipvs *b);
/*
 * Compares and repairs: service, scheduler, real servers, weights. What is missing is added before
 * anything is removed; nothing but the service at rules->vs is ever touched. A server that is to be
 * removed gets no new connections from the first moment on; then its clients are looked for, in
 * tables that may be big, and cut. Each change is an event.
 */
int ipvs_apply(struct ipvs *b, const struct rules *rules, struct events *ev, struct err *err);
/* Removes the service; one that is not there is fine. */
int ipvs_remove(struct ipvs *b, const struct addr *vs, struct events *ev, struct err *err);

/* Reads without changing anything. */
int ipvs_read(struct ipvs *b, const struct addr *vs, struct rules_view *out, struct err *err);
/* The addresses of services other than vs, up to cap; *foreign: there are others besides. A
 * negative errno on failure. */
int ipvs_others(struct ipvs *b, const struct addr *vs, struct addr *others, size_t cap, size_t *n,
                bool *foreign);
/* Takes vs' port from the kernel's service at its address; false when there is none. */
bool ipvs_find_port(struct ipvs *b, struct addr *vs);
