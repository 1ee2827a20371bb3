/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "nlmsg.h"

struct err;

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

/* protocol: NETLINK_GENERIC or NETLINK_ROUTE. */
int nlsock_open(struct nlsock *s, int protocol, struct err *err);
void nlsock_release(struct nlsock *s);

/* Each message of an answer: its header and what follows it. */
typedef void nlsock_answer_fn(void *ctx, const struct nlmsghdr *hdr, struct span body);

/*
 * Sends m (sequence number and, unless it asks for a dump, NLM_F_ACK are filled in) and waits for
 * the end of the answer. Returns 0 or a negative errno: the kernel's, or -EINTR for a dump that
 * changed meanwhile and has to be asked for again, or -ETIMEDOUT after 2 s of silence.
 */
int nlsock_ask(struct nlsock *s, struct nlmsg *m, nlsock_answer_fn *fn, void *ctx);

/* "text" or "text (the kernel's own words)" for the errno of nlsock_ask. Returns buf. */
const char *nlsock_strerror(const struct nlsock *s, int error, char *buf, size_t cap);

/* A non-blocking socket that hears about changed addresses and routes; -1 with err. */
int nlsock_listen(struct err *err);
/* Reads all that waits on it; true when something (or too much to keep) had happened. */
bool nlsock_drain(int fd);
