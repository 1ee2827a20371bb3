// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct sshconf;

#define HOSTS_MAX     1024 /* machines in one run; a longer range is a slip of the pen */
#define HOST_NAME_LEN 264  /* a host name, ":65535" and the NUL */

/* One machine of a run. Holds no memory of its own: copies are plain assignments. */
struct host {
	struct addr addr;          /* numeric in any case; port: that of its sshd */
	char name[HOST_NAME_LEN];  /* how messages call it: as it was given, with the port unless 22
	                            */
	char given[HOST_NAME_LEN]; /* name or address alone: what ssh_config and known_hosts know */
	bool master;               /* becomes (or is) a control plane */
	bool local;                /* this very machine: no SSH */
	bool jumps;                /* reached through a jump host: never this machine, though it has
	                              the same address */
	bool optional;             /* known from before: the run goes on without it */
	/* From --hosts (or USER@), "" when nothing was said: */
	char user[64];       /* login name, before --user and ssh_config */
	char node_name[254]; /* metadata.name of its Node: a DNS-1123 subdomain */
	char labels[1024];   /* "a=b,c=d", checked: what kubelet --node-labels takes */
	char taints[1024];   /* "k=v:NoSchedule,k2:NoExecute", checked; "-": no taint, not even a
	                        control plane's own */
};

struct hostlist {
	struct host *v;
	size_t n;
	bool jumps;                 /* --jump: for all that are added */
	const struct sshconf *conf; /* borrowed; ~/.ssh/config: HostName and Port. NULL: none */
};

/*
 * Adds what one --master or --node value names: [USER@]ADDRESS, NAME, each with :PORT; [V6]:PORT;
 * or a range FIRST-LAST of IPv4 addresses. Port 22 unless conf says otherwise. Names are resolved
 * here, once (resolve.h). A machine named twice is refused.
 */
int hostlist_add(struct hostlist *l, const char *spec, bool master, struct err *err);
/* The same for one machine whose other fields (role, user, node_name...) are those of like; port 0:
 * as above. what: who says it, for messages ("--node", "hosts.txt:3"). */
int hostlist_add_like(struct hostlist *l, const char *spec, uint16_t port, const struct host *like,
                      const char *what, struct err *err);
/* This machine, reached without SSH. */
struct host *hostlist_add_local(struct hostlist *l, const struct addr *addr, bool master);
/* A copy of one entry, not compared with the others. */
void hostlist_append(struct hostlist *l, const struct host *h);
/* Marks the entries whose address is one of this machine's own (and whose port is 22) as local. */
int hostlist_mark_local(struct hostlist *l, struct err *err);
/* The same, and this machine stands only once in the list: the first of its entries stays. */
int hostlist_join_local(struct hostlist *l, struct err *err);
size_t hostlist_masters(const struct hostlist *l);
void hostlist_release(struct hostlist *l);
