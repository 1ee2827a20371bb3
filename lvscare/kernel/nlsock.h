/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "nlmsg.h"

struct addr;
struct err;
struct strbuf;

/*
 * A netlink socket for requests: one at a time, each answered before the next. Answers are matched
 * by sequence number; the kernel's own sentence (NETLINK_EXT_ACK) is kept for messages.
 */
struct nlsock {
	int fd; /* -1: closed */
	uint32_t seq;
	char ext[160]; /* what the kernel said about the last failure, or "" */
	uint8_t *buf;
};

/* protocol: NETLINK_GENERIC, NETLINK_ROUTE and so on. */
int nlsock_open(struct nlsock *s, int protocol, struct err *err);
void nlsock_release(struct nlsock *s);

/* Each message of an answer: its header and what follows it. */
typedef void nlsock_answer_fn(void *ctx, const struct nlmsghdr *hdr, struct span body);

/*
 * Sends m (sequence number and flags but NLM_F_DUMP are filled in) and waits for the end of the
 * answer: that of a dump, the one message that answers any other question, or without fn, which is
 * for changes, the acknowledgement. Returns 0 or a negative errno: the kernel's, or -EINTR for a
 * dump that changed meanwhile and has to be asked for again, or -ETIMEDOUT after 2 s of silence.
 */
int nlsock_ask(struct nlsock *s, struct nlmsg *m, nlsock_answer_fn *fn, void *ctx);

/*
 * Sends the messages of one transaction, the last of which is its end, and waits until it is done.
 * Returns the same as nlsock_ask for the first one that was refused; refused is its place from 1,
 * where 1 is the whole transaction.
 */
int nlsock_commit(struct nlsock *s, struct strbuf *batch, uint32_t *refused);

/* "what name: not permitted ..." or with what the kernel said. Returns -1. */
int nlsock_fail(const struct nlsock *s, int error, struct err *err, const char *what,
                const struct addr *a);
/* "text" or "text (the kernel's own words)" for the errno of nlsock_ask. Returns buf. */
const char *nlsock_strerror(const struct nlsock *s, int error, char *buf, size_t cap);

/* A non-blocking socket that hears about changed addresses and routes; -1 with err. */
int nlsock_listen(struct err *err);
/* Reads all that waits on it; true when something (or too much to keep) had happened. */
bool nlsock_drain(int fd);
