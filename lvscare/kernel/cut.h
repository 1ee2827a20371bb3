/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "net.h"

#include <stdbool.h>
#include <stddef.h>

#define CUT_CONNS   "/proc/net/ip_vs_conn"
#define CUT_READ_MS 300 /* more than so long that file is not read */

/*
 * Cuts the connections that this node's own clients have to a removed server: one that only waits
 * (a watch) would never send the packet that gets it reset. The kernel forgets who was connected
 * where when the server is removed, so: cut_tracked or cut_collect before that, when nobody is sent
 * there any more, and cut_run after it. Clients that are still connecting are left alone. Zeroed:
 * empty.
 */
struct cut {
	struct addr vs, *client;
	size_t n;
	bool off; /* the kernel cannot: not tried again */
};

/* Notes the clients of the real server rs at the virtual server vs that connection tracking knows
 * of; false when it does not track those of IPVS, or cannot be asked. */
bool cut_tracked(struct cut *c, const struct addr *vs, const struct addr *rs);
/* The same from a file in the format of CUT_CONNS, of which the kernel makes a page at a time, each
 * by counting from the first connection on; one that cannot be read holds none. */
void cut_collect(struct cut *c, const struct addr *vs, const struct addr *rs, const char *path);
/* Notes one client. */
void cut_add(struct cut *c, const struct addr *vs, const struct addr *client);
/* Destroys their sockets and forgets them; returns how many there were. Clients elsewhere (pods,
 * other machines) have none here. */
size_t cut_run(struct cut *c);
void cut_release(struct cut *c);

/* One line of the file: true when it is a connection through vs to rs, with its client. */
bool cut_parse(const char *line, const struct addr *vs, const struct addr *rs, struct addr *client);
