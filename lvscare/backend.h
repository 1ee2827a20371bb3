/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "ipvs.h"

/*
 * What in the kernel forwards connections to the real servers, behind one interface.
 */
enum backend_kind {
	BACKEND_AUTO, /* wanted: whatever the kernel has; open: none is */
	BACKEND_IPVS,
};

struct backend {
	enum backend_kind kind;
	struct ipvs ipvs;
};

/* "auto", "ipvs" */
const char *backend_name(enum backend_kind kind);
/* The kernel loads its modules on the way. Without any the failure names the way out. */
int backend_open(struct backend *b, enum backend_kind want, struct err *err);
void backend_release(struct backend *b);
/*
 * Compares and repairs: virtual server, scheduler, real servers, weights. What is missing is there
 * before anything is removed; nothing but the virtual server at rules->vs is ever touched. Each
 * change is an event.
 */
int backend_apply(struct backend *b, const struct rules *rules, struct events *ev, struct err *err);
/* Reads without changing anything. */
int backend_read(struct backend *b, const struct addr *vs, struct rules_view *out, struct err *err);
/* Takes vs' port from the kernel's virtual server at its address; false when there is none. */
bool backend_find_port(struct backend *b, struct addr *vs);
/* Removes the virtual server; one that is not there is fine, a kernel that never could have had it
 * too. */
int backend_remove(const struct addr *vs, struct events *ev, struct err *err);
