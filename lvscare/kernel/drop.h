/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "nft.h"

/*
 * A rule of nftables behind IPVS's hooks: the first packet of a connection to the virtual server
 * that IPVS has not taken, as its rules were flushed, is dropped. Without it the node itself would
 * refuse the connection; so the client's TCP sends the packet again after a second, when the rules
 * are back. Packets of connections that are under way pass: a client of a removed server has to be
 * reset. Zeroed: closed.
 */
struct drop {
	struct nft nft; /* its generation and known are those of the table */
	bool open;
	bool failed;       /* told already */
	uint64_t next_try; /* ms, then */
};

/* Compares and repairs. Where nftables cannot have the rule that is told once; nothing depends on
 * it. */
void drop_apply(struct drop *d, const struct addr *vs, struct events *ev);
/* Removes the rule; none, and no nftables, is fine. */
int drop_remove(struct drop *d, const struct addr *vs, struct events *ev, struct err *err);
void drop_release(struct drop *d);
