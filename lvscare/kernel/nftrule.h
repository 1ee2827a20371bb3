/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "nftplan.h"
#include "nlmsg.h"

/*
 * The rule of our chains that forward as bytes: a list of expressions that work on registers
 * (linux/netfilter/nf_tables.h). It is for the virtual server alone, chooses a slot, looks it up in
 * the map, and gives the packet the address and port that it finds.
 */
void nftrule_put(struct nlmsg *m, const struct nftplan *p, const char *map);
/* Whether a list out of an answer is the same. */
bool nftrule_is(struct span list, const struct nftplan *p, const char *map);
/*
 * Rules that drop packets: to the virtual server the first one of a connection, and those of a
 * connection that was given a real server, as connection tracking still knows; and from a real
 * server those whose source is not the virtual server's again.
 */
enum nft_drop { NFT_DROP_REPLY, NFT_DROP_FIRST, NFT_DROP_BOUND, NFT_DROPS };

void nftrule_put_drop(struct nlmsg *m, const struct nftplan *p, enum nft_drop which);
bool nftrule_is_drop(struct span list, const struct nftplan *p, enum nft_drop which);
/* NFPROTO_*, as the kernel counts families here. */
uint8_t nftrule_family(int family);
