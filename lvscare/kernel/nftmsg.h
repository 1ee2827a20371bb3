/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "nftplan.h"
#include "nftrule.h"
#include "nlmsg.h"

struct strbuf;

/*
 * nftables requests and answers as bytes (linux/netfilter/nf_tables.h). The table of a virtual
 * server is, as nft(8) would write it for IPv4:
 *
 *     table ip lvscare-169.254.97.2-6443 {
 *         set drained { type ipv4_addr . inet_service; flags constant; elements = {...} }
 *         chain output { type nat hook output priority -100;
 *             ip daddr 169.254.97.2 tcp dport 6443
 *                 dnat ip to numgen inc mod 2 map { 0 : 10.0.0.1 . 6443, 1 : 10.0.0.2 . 6443 } }
 *         chain prerouting { the same at the hook prerouting }
 *     }
 *
 * The maps have no name there, but one here. The drained ones are only noted: no rule uses the set.
 *
 * Beside IPVS there is a table that drops packets that IPVS has not taken:
 *
 *     table ip lvscare-drop-169.254.97.2-6443 {
 *         chain input { type filter hook input priority 110;
 *             ct direction reply ct original ip daddr 169.254.97.2
 *                 ct original proto-dst 6443 ip saddr != 169.254.97.2 drop
 *             ip daddr 169.254.97.2 tcp dport 6443 tcp flags & (fin|syn|rst|ack) == syn drop
 *             ip daddr 169.254.97.2 tcp dport 6443 ct reply ip saddr != 169.254.97.2 drop }
 *         chain forward { the first of these at the hook forward }
 *     }
 */
enum nft_chain { NFT_OUTPUT, NFT_PREROUTING, NFT_CHAINS, NFT_INPUT = NFT_CHAINS, NFT_FORWARD };

/* A map for the rule of each chain, and the set. */
enum nft_set { NFT_SLOTS_OUTPUT, NFT_SLOTS_PREROUTING, NFT_DRAINED, NFT_SETS };

/* Transactions: messages behind each other, for nlsock_commit. The kernel refuses one that was made
 * for another generation (ERESTART); 0 is for any. Without slots there is nothing that takes
 * connections. */
void nft_encode_write(struct strbuf *out, const struct nftplan *p, bool replace,
                      uint32_t generation);
/* The table with the chains NFT_INPUT and NFT_FORWARD; p has its name and the virtual server. */
void nft_encode_write_drop(struct strbuf *out, const struct nftplan *p, bool replace,
                           uint32_t generation);
void nft_encode_remove(struct strbuf *out, int family, const char *table, uint32_t generation);

/* Questions. table NULL: all of them. */
void nft_encode_generation(struct nlmsg *m);
void nft_encode_table(struct nlmsg *m, int family, const char *table);
void nft_encode_chain(struct nlmsg *m, const struct nftplan *p, enum nft_chain chain);
void nft_encode_rules(struct nlmsg *m, const struct nftplan *p, enum nft_chain chain);
/* A set itself, and its elements. */
void nft_encode_set(struct nlmsg *m, const struct nftplan *p, enum nft_set set);
void nft_encode_elements(struct nlmsg *m, const struct nftplan *p, enum nft_set set);

/* Answers, each the body behind the netlink header; false when it is none of its kind. */
bool nft_decode_generation(struct span body, uint32_t *out);
/* flags: NFT_TABLE_F_*; uses: how many chains and sets it has. */
bool nft_decode_table(struct span body, char *name, size_t cap, uint32_t *flags, uint32_t *uses);
/* Whether it is what nft_encode_write writes. */
bool nft_is_chain(struct span body, const struct nftplan *p, enum nft_chain chain);
bool nft_is_rule(struct span body, const struct nftplan *p, enum nft_chain chain);
/* The n-th rule (from 0) of that chain. */
bool nft_is_drop_rule(struct span body, const struct nftplan *p, enum nft_chain chain, unsigned n);
/* How many rules it has. */
unsigned nft_drop_rules(enum nft_chain chain);
bool nft_is_set(struct span body, const struct nftplan *p, enum nft_set set);
/* Adds the elements to p's slots or drained; false when one has no place there. */
bool nft_decode_elements(struct span body, struct nftplan *p, enum nft_set set);
