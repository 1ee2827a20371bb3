/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "net.h"
#include "request.h"
#include "strbuf.h"

struct err;
struct events;

#define LISTEN_CONNS 4 /* at a time; one more takes the place of the oldest */

/*
 * Fills body (empty before) with the answer for a path, and returns the HTTP status; type is
 * "text/plain" unless it is set.
 */
typedef int listen_page_fn(void *ctx, const char *path, struct strbuf *body, const char **type);

struct listen_conn {
	bool open;
	int fd;
	uint64_t deadline; /* ms: closed then, whatever has happened */
	char *in;          /* REQUEST_MAX bytes, of which have come: */
	size_t got;
	struct strbuf out; /* empty until the request is complete */
	size_t sent;
};

/*
 * A small HTTP server inside the daemon's loop: it never waits, and what clients can make it hold
 * is bounded. One request per connection. It has an epoll descriptor of its own, which the loop
 * watches.
 */
struct listen {
	struct addr addr; /* port 0: there is none */
	unsigned spare;   /* so many ports behind it will do while it is in use */
	uint16_t port;    /* that is open */
	listen_page_fn *page;
	void *ctx;
	int epoll, fd;       /* -1: closed */
	uint64_t next_try;   /* ms: when the address is tried again */
	bool failure_logged; /* that it cannot be had, or is another port */
	struct listen_conn conn[LISTEN_CONNS];
};

/* Sets up without opening the address yet; a->port 0: everything below does nothing. */
int listen_init(struct listen *l, const struct addr *a, unsigned spare, listen_page_fn *page,
                void *ctx, struct err *err);
void listen_release(struct listen *l);
/* Opens the address when it is time (an address in use is logged once and tried again), and closes
 * connections that are over their time. Returns when the next of these is due, in ms. */
uint64_t listen_turn(struct listen *l, struct events *ev, uint64_t now);
/* The epoll descriptor is readable. */
void listen_ready(struct listen *l, uint64_t now);
