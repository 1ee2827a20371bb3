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
/* An address of an interface, and how long its network's prefix is, out of RTM_NEWADDR. */
bool route_decode_address(struct span body, struct cidr *out);

/* The address that connections from this node to dst leave with; a negative errno if there is no
 * way. */
int route_source(struct nlsock *s, const struct addr *dst, struct addr *src);
/* The network of an interface that holds the address; family 0: none does. */
int route_network(struct nlsock *s, const struct addr *a, struct cidr *out, struct err *err);
/* Our route to vip, or the first of ours to anything where vip->family is 0 (IPv4 before IPv6);
 * out->dst.family 0: there is none. */
int route_read(struct nlsock *s, const struct addr *vip, struct route *out, struct err *err);
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
