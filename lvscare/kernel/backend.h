/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "ipvs.h"
#include "nft.h"

/*
 * What in the kernel forwards connections to the real servers, behind one interface: IPVS, or
 * nftables where the kernel has no IPVS. The two never hold the same virtual server for longer than
 * it takes to go from one to the other.
 */
enum backend_kind {
	BACKEND_AUTO, /* wanted: IPVS if there is any; open: none is */
	BACKEND_IPVS,
	BACKEND_NFT,
	BACKEND_KINDS
};

struct backend {
	enum backend_kind kind;
	enum backend_kind last_kind; /* the one that was used last */
	bool alone;                  /* the other one has nothing of ours */
	struct ipvs ipvs;
	struct nft nft;
};

/* "auto", "ipvs", "nft"; BACKEND_KINDS: it is none. */
const char *backend_name(enum backend_kind kind);
enum backend_kind backend_by_name(const char *name);
/* The kernel loads its modules on the way. Without any the failure names the way out. */
int backend_open(struct backend *b, enum backend_kind want, struct err *err);
void backend_release(struct backend *b);
/*
 * Compares and repairs: virtual server, scheduler, real servers, weights. What is missing is there
 * before anything is removed; nothing but the virtual server at rules->vs is ever touched. Each
 * change is an event.
 */
int backend_apply(struct backend *b, const struct rules *rules, struct events *ev, struct err *err);
/* Removes the virtual server from all that the kernel has; one that is not there is fine. */
int backend_remove(const struct addr *vs, struct events *ev, struct err *err);

/*
 * Reads the virtual server, from whichever has it, without changing anything. vs->port 0: that of
 * the kernel's virtual server at its address, or left as it is.
 */
int backend_read(struct addr *vs, struct rules_view *out, enum backend_kind *kind, struct err *err);
