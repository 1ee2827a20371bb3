// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct json_t;
struct msg;

struct pollfd;

#define LINK_NOW     0 /* as a deadline: do not wait */
#define LINK_NOTHING -2

/* How bytes reach the other side. All waits end at deadline (ms, monotonic: now_ms). */
struct link_ops {
	/* At least one byte; 0 at the end; -1 with err; LINK_NOTHING when deadline is LINK_NOW and
	 * nothing has come. Also answers what the transport itself asks (SSH keepalives). */
	ssize_t (*read)(void *ctx, void *buf, size_t len, long long deadline, struct err *err);
	/* What poll(2) has to wait for before a read is worthwhile. */
	void (*pollfd)(void *ctx, struct pollfd *p);
	/* Everything, or -1. */
	int (*write)(void *ctx, const void *data, size_t len, struct err *err);
	/* What the other side printed on stderr, or "". */
	const char *(*stderr_text)(void *ctx);
	void (*close)(void *ctx);
};

/* One end of the line protocol (proto.h): over SSH, or over a descriptor to a local process. */
struct link {
	const struct link_ops *ops;
	void *ctx;
	struct strbuf in; /* read, not consumed yet */
};

long long now_ms(void);

/* A link over one socket; pid >= 0: a child, reaped by link_release. Takes over fd. */
void link_init_fd(struct link *l, int fd, pid_t pid);
void link_release(struct link *l); /* accepts a zeroed link */
int link_fd(const struct link *l); /* of link_init_fd, for poll(2) */
void link_pollfd(const struct link *l, struct pollfd *p);

int link_send(struct link *l, const struct strbuf *sb, struct err *err);
/* The next message. The other side's end is a failure that quotes its stderr. */
int link_receive(struct link *l, unsigned timeout_ms, struct msg *out, struct err *err);
/* The same without waiting: 1: a message, 0: none yet, -1: failure. After 0 poll(2) can wait for
 * more. */
int link_take(struct link *l, struct msg *out, struct err *err);

/* fork(2) with a socket between both: *fd is each side's end of it. -1: failure. */
pid_t link_fork(int *fd, struct err *err);
/* Starts this program again as `node serve` on this machine, in a session of its own. */
int link_init_local(struct link *l, struct err *err);
