/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cut.h"
#include "nftplan.h"
#include "nlsock.h"

struct err;
struct events;

/* A connection to the kernel's nftables (see backend.h): one table for each virtual server. */
struct nft {
	struct nlsock sock;
	bool missing;        /* why it could not be opened: the kernel has none */
	bool known;          /* the table was as planned in that generation */
	uint32_t generation; /* a number that each change of anybody's rules raises */
	struct nftplan plan;
	struct cut cut;            /* clients of servers that were removed */
	char scheduler_logged[16]; /* that it cannot be had */
	bool conntrack_logged;     /* that connections stay */
};

/* The kernel loads nf_tables on the way. Without it the failure names the way out. */
int nft_open(struct nft *b, struct err *err);
void nft_release(struct nft *b);
/*
 * Compares and repairs the table, in one transaction. Connections to real servers that are no
 * longer among the rules are forgotten, so that their next packet resets them, and idle ones of
 * this node cut; those to drained ones live on.
 */
int nft_apply(struct nft *b, const struct rules *rules, struct events *ev, struct err *err);
int nft_read(struct nft *b, const struct addr *vs, struct rules_view *out, struct err *err);
bool nft_find_port(struct nft *b, struct addr *vs);
int nft_remove(struct nft *b, const struct addr *vs, struct events *ev, struct err *err);
/* The number that each change of anybody's rules raises; 0 or a negative errno. */
int nft_generation(struct nft *b, uint32_t *out);
/* Removes a table, whatever is in it; 0 or a negative errno, -ENOENT where there is none. */
int nft_remove_table(struct nft *b, int family, const char *table);
