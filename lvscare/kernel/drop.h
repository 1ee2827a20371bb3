/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "nft.h"

/*
 * Rules of nftables behind IPVS's hooks. When others flush IPVS, its hooks are gone too, and the
 * node itself would answer at the virtual address, and real servers that send to clients, by
 * resets. The rules drop what it must not answer, so that the senders' TCP sends it again when IPVS
 * is back: the first packet of a connection, and those of a connection that still has a real server
 * (kept by expire_nodest_conn=0, see sysctl.h). A connection whose server was removed has none any
 * more: its packets pass and are answered by a reset. Zeroed: closed.
 */
struct drop {
	struct nft nft; /* its generation and known are those of the table */
	bool open;
	bool failed;       /* there are none; told already */
	uint64_t next_try; /* ms, then */
};

/* Compares and repairs. Where nftables cannot have the rules that is told once. */
void drop_apply(struct drop *d, const struct addr *vs, struct events *ev);
/* Removes the rules; none, and no nftables, is fine. */
int drop_remove(struct drop *d, const struct addr *vs, struct events *ev, struct err *err);
void drop_release(struct drop *d);
