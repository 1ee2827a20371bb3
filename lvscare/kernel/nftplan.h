/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "rules.h"

#include <linux/netfilter/nf_tables.h>

/*
 * A virtual server as an nftables table. Each new connection takes a slot of a map, in turn or by a
 * hash of its source, and goes to the slot's real server. Pure: no sockets.
 */
#define NFT_SLOTS_MAX 128
#define NFT_TABLE_MAX 64 /* bytes of its name, with the NUL */

struct nftplan {
	char table[NFT_TABLE_MAX]; /* "lvscare-169.254.97.2-6443"; colons become dots */
	struct addr vs;
	bool by_source;
	struct addr slot[NFT_SLOTS_MAX]; /* a server has as many as its weight says */
	size_t n_slots;
	struct addr drained[DESTS_MAX]; /* weight 0: in no slot */
	size_t n_drained;
};

/* The table of a virtual server. */
void nftplan_name(char table[static NFT_TABLE_MAX], const struct addr *vs);
/* The table beside IPVS that drops the first packet of a connection that IPVS has not taken. */
void nftplan_drop_name(char table[static NFT_TABLE_MAX], const struct addr *vs);
/* The port in the name of a table of ours for this address; false when it is none. */
bool nftplan_port(const char *table, const struct addr *host, uint16_t *port);
/* Weights are reduced to their greatest common divisor, and halved until the slots suffice. */
void nftplan_make(struct nftplan *p, const struct rules *rules);
bool nftplan_same_slots(const struct nftplan *a, const struct nftplan *b);
bool nftplan_same(const struct nftplan *a, const struct nftplan *b);
/* The same as everybody reads it: real servers in the order of their first slots, drained ones
 * last. Those behind the DESTS_MAX-th are left out. */
void nftplan_view(const struct nftplan *p, struct rules_view *out);
