/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "net.h"
#include "nlsock.h"

struct err;
struct events;

/*
 * The route that makes the virtual address reachable from this node (rtnetlink(7)):
 *     ip route add local VIP/32 dev lo src NODEIP table local proto 197
 * No interface has the address; connections to it leave with NODEIP as their source.
 */
#define ROUTE_PROTO 197 /* rtm_protocol: told from routes of others by it */

/* One route out of a dump or a lookup. */
struct route {
	struct addr dst, src; /* family 0: not there */
	uint8_t dst_len;      /* bits */
	uint8_t type;         /* RTN_* */
	uint8_t proto;        /* RTPROT_* */
	uint32_t table;       /* RT_TABLE_* */
	uint32_t oif;         /* interface index */
};

/* Pure functions over bytes. */
void route_encode(struct nlmsg *m, uint16_t type, uint16_t flags, const struct route *r);
bool route_decode(struct span body, struct route *out);
/* An address of an interface out of RTM_NEWADDR. */
bool route_decode_address(struct span body, struct addr *out);

/* The address that connections from this node to dst leave with; a negative errno if there is no
 * way. */
int route_source(struct nlsock *s, const struct addr *dst, struct addr *src);
/* Whether an interface of this node has the address. */
int route_own_address(struct nlsock *s, const struct addr *a, bool *own, struct err *err);
/*
 * Compares and repairs: exactly one route of ours to vip, with this source; a route of anybody else
 * to the same address is left alone. Changes are events.
 */
int route_apply(struct nlsock *s, const struct addr *vip, const struct addr *src, struct events *ev,
                struct err *err);
/* Removes our route; none is fine. */
int route_remove(struct nlsock *s, const struct addr *vip, struct events *ev, struct err *err);
