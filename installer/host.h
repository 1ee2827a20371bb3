// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

#define HOSTS_MAX 1024 /* machines in one run; a longer range is a slip of the pen */

/* One machine of a run. Numeric addresses only: nothing here resolves names. */
struct host {
	struct addr addr;        /* port: that of its sshd */
	char name[ADDR_STR_MAX]; /* how messages call it: the address, with the port unless 22 */
	bool master;             /* becomes (or is) a control plane */
	bool local;              /* this very machine: no SSH */
	bool optional;           /* known from before: the run goes on without it */
};

struct hostlist {
	struct host *v;
	size_t n;
};

/*
 * Adds what one --master or --node value names: ADDRESS, ADDRESS:PORT, [V6]:PORT or a range
 * FIRST-LAST of IPv4 addresses, all with SSH port 22 by default. A machine named twice is refused.
 */
int hostlist_add(struct hostlist *l, const char *spec, bool master, struct err *err);
/* This machine, reached without SSH. */
struct host *hostlist_add_local(struct hostlist *l, const struct addr *addr, bool master);
/* A copy of one entry, not compared with the others. */
void hostlist_append(struct hostlist *l, const struct host *h);
/* Marks the entries whose address is one of this machine's own (and whose port is 22) as local. */
int hostlist_mark_local(struct hostlist *l, struct err *err);
size_t hostlist_masters(const struct hostlist *l);
void hostlist_release(struct hostlist *l);
