/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "net.h"
#include "nlmsg.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

/*
 * TCP sockets of this node as the kernel tells of them (NETLINK_SOCK_DIAG, linux/inet_diag.h), as
 * bytes. A socket is found by its addresses first and destroyed by its cookie then: the kernel
 * would also find a listener that has the client's port.
 */
struct sockdiag {
	struct addr local, remote;
	uint8_t state; /* TCP_ESTABLISHED and so on, netinet/tcp.h */
	uint32_t cookie[2];
};

void sockdiag_encode_find(struct nlmsg *m, const struct addr *local, const struct addr *remote);
/* Without CONFIG_INET_DIAG_DESTROY the kernel answers EOPNOTSUPP. */
void sockdiag_encode_destroy(struct nlmsg *m, const struct sockdiag *s);
/* A socket out of a message's body; false when it is none. */
bool sockdiag_decode(struct span body, struct sockdiag *out);
