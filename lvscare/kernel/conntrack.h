/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "net.h"
#include "nlmsg.h"

struct nlsock;

/*
 * TCP connections as the kernel tracks them (linux/netfilter/nfnetlink_conntrack.h). With nftables
 * the choice of a real server is kept here alone: a connection that is forgotten takes another one
 * with its next packet, and is reset by it.
 */
struct flow {
	struct addr client, to; /* as the client sees it */
	struct addr server;     /* where replies come from */
	uint32_t id;            /* in network order */
	bool established;
};

/* Asks for those to vs; the answer may have others, and all of them before Linux 5.8. */
void conntrack_encode_list(struct nlmsg *m, const struct addr *vs);
/* Of that very connection, even if another has its addresses by now (then ENOENT). */
void conntrack_encode_forget(struct nlmsg *m, const struct flow *f);
/* A TCP connection out of a message's body; false when it is none. */
bool conntrack_decode(struct span body, struct flow *out);

typedef void conntrack_fn(void *ctx, const struct flow *f);

/* Tells fn of each connection to vs. s: NETLINK_NETFILTER. Returns 0 or a negative errno. */
int conntrack_list(struct nlsock *s, const struct addr *vs, conntrack_fn *fn, void *ctx);
int conntrack_forget(struct nlsock *s, const struct flow *f);
