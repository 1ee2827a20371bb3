/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "answer.h"
#include "identity.h"
#include "net.h"
#include "slice.h"

struct events;
struct pool;
struct tls;

/*
 * Learns from the cluster which masters there are: lists the EndpointSlice of default/kubernetes
 * and watches it from there on. Asks a real server that is up, itself and not through the virtual
 * address, and moves on to another one when it is no longer up. Nothing blocks; it works in the
 * caller's epoll set. One request for each connection; one connection at a time.
 */
enum discover_stage {
	DISCOVER_IDLE,
	DISCOVER_CONNECT,
	DISCOVER_TLS,
	DISCOVER_SEND,
	DISCOVER_RECEIVE
};

struct discover {
	int epoll;     /* borrowed */
	uint32_t slot; /* what its events are called there */
	int family;    /* of the masters */
	struct identity identity;
	enum discover_stage stage;
	struct addr peer; /* unless idle */
	int fd;
	uint32_t waits; /* EPOLLIN or EPOLLOUT */
	uint64_t next;  /* ms: when idle, not before */
	uint64_t deadline;
	unsigned wait_ms; /* of the next failure */
	struct tls *tls;
	char *request;
	size_t len, sent;
	bool watching;                   /* or else listing */
	bool begun;                      /* the watch was granted */
	bool more;                       /* not all was read that has come */
	char version[SLICE_VERSION_MAX]; /* to watch from; "": list first */
	struct answer answer;
	struct addrs masters; /* as named last */
	bool news;            /* they were not taken yet */
	bool none_logged;     /* that there were none */
	char trouble[192];    /* what was logged last, "" when all is well */
	bool failed_watch;    /* a watch failed last */
};

/* file: the client certificate, NULL: never ask. Paths are borrowed. */
void discover_init(struct discover *d, int epoll, uint32_t slot, int family, const char *file,
                   const char *ca_file);
void discover_release(struct discover *d);
/* Looks at the files again; a new certificate is used at once. */
void discover_refresh(struct discover *d, struct events *ev, uint64_t now);
/* Does what is due; returns when it wants to be called again. */
uint64_t discover_turn(struct discover *d, const struct pool *p, struct events *ev, uint64_t now);
/* Its socket is ready. */
void discover_ready(struct discover *d, struct events *ev, uint64_t now);
/* The list that has come since the last call, or NULL. */
const struct addrs *discover_news(struct discover *d);
/* Ends what is under way and begins anew at once, with a list. */
void discover_restart(struct discover *d, uint64_t now);
