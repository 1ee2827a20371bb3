/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "config.h"
#include "daemon.h"
#include "kernel/backend.h"
#include "kernel/route.h"

struct err;

/* The virtual server as a look from outside finds it: in the kernel, and at the daemon. */
struct inspection {
	struct addr vs;
	struct daemon_status daemon;
	struct addr daemon_at;                   /* where it answers */
	struct addr others[CONFIG_LISTEN_SPARE]; /* virtual servers that other daemons here guard */
	size_t n_others;
	char no_daemon[256]; /* why none answers for this virtual server, "" when it does */
	struct rules_view rules;
	enum backend_kind backend; /* where they are */
	char no_rules[512];        /* why the kernel's could not be read, or "" */
	struct route route;        /* dst.family 0: there is none */
	char no_route[512];
};

/*
 * vs->family 0: the one that the daemon guards, or that the kernel has a route of ours for.
 * daemon->port 0: nobody is asked; so many ports behind it are asked, too. Fails when no virtual
 * server is found.
 */
int inspect(struct inspection *v, const struct addr *vs, const struct addr *daemon, unsigned spare,
            struct err *err);
