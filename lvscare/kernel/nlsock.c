// SPDX-License-Identifier: Apache-2.0
#include "nlsock.h"

#include "err.h"
#include "mem.h"
#include "net.h"
#include "strbuf.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define BUF_SIZE  32768 /* the kernel's dumps use pages of up to 32 KiB */
#define TIMEOUT_S 2

int nlsock_open(struct nlsock *s, int protocol, struct err *err)
{
	struct sockaddr_nl local = {.nl_family = AF_NETLINK};
	struct timeval tv = {.tv_sec = TIMEOUT_S};
	int on = 1;
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	*s = (struct nlsock){.fd = -1};
	if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0)
		return err_set(err, "netlink socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	/* both came with Linux 4.12 and 4.20; without them messages are shorter and dumps longer */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	s->fd = steal_fd(&fd);
	s->buf = xmalloc(BUF_SIZE);
	return 0;
}

void nlsock_release(struct nlsock *s)
{
	if (s->buf)
		close(s->fd);
	mem_auto_free(&s->buf);
	*s = (struct nlsock){.fd = -1};
}

/* The error code of NLMSG_ERROR or NLMSG_DONE; both may carry extended-ack attributes. */
static int answer_end(struct nlsock *s, const struct nlmsghdr *hdr, struct span body)
{
	struct span tb[NLMSGERR_ATTR_MSG + 1];
	struct nlmsghdr sent;
	int32_t error = 0;

	if (!span_take(&body, &error, sizeof(error)))
		return hdr->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
	if (hdr->nlmsg_type == NLMSG_ERROR) {
		if (!span_take(&body, &sent, sizeof(sent)))
			return error;
		if (!(hdr->nlmsg_flags & NLM_F_CAPPED)) { /* our own message is quoted in full */
			if (sent.nlmsg_len < sizeof(sent) ||
			    !span_take(&body, NULL, sent.nlmsg_len - sizeof(sent)))
				return error;
		}
	}
	if (hdr->nlmsg_flags & NLM_F_ACK_TLVS) {
		attr_table(body, tb, ARRAY_SIZE(tb));
		attr_str(tb[NLMSGERR_ATTR_MSG], s->ext, sizeof(s->ext));
	}
	return error > 0 ? -EBADMSG : error;
}

/* What is expected of an answer. */
struct wanted {
	nlsock_answer_fn *fn;
	void *ctx;
	bool one;         /* message, and nothing behind it */
	bool interrupted; /* a dump that changed meanwhile */
};

/* Goes through one datagram. Returns 1 when the answer goes on, else its result. */
static int answer_part(struct nlsock *s, struct span in, struct wanted *w)
{
	struct nlmsghdr hdr;
	struct span body;

	while (nlmsg_next(&in, &hdr, &body)) {
		if (hdr.nlmsg_seq != s->seq)
			continue; /* the late answer of a request that timed out */
		if (hdr.nlmsg_flags & NLM_F_DUMP_INTR)
			w->interrupted = true;
		if (hdr.nlmsg_type == NLMSG_ERROR || hdr.nlmsg_type == NLMSG_DONE)
			return answer_end(s, &hdr, body);
		if (!w->fn || hdr.nlmsg_type < NLMSG_MIN_TYPE)
			continue;
		w->fn(w->ctx, &hdr, body);
		if (w->one)
			return 0;
	}
	return 1;
}

/* One datagram from the kernel. Returns its length, or the negative errno of nlsock_ask. */
static ssize_t receive(struct nlsock *s)
{
	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t fromlen = sizeof(from);
		ssize_t n = recvfrom(s->fd, s->buf, BUF_SIZE, 0, (struct sockaddr *)&from,
		                     &fromlen);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : errno == ENOBUFS ? -EINTR : -errno;
		if (from.nl_pid == 0)
			return n;
	}
}

int nlsock_ask(struct nlsock *s, struct nlmsg *m, nlsock_answer_fn *fn, void *ctx)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct wanted w = {.fn = fn, .ctx = ctx};
	struct nlmsghdr hdr;
	int rc = 1;

	memcpy(&hdr, m->data, sizeof(hdr));
	hdr.nlmsg_seq = ++s->seq;
	hdr.nlmsg_flags |= NLM_F_REQUEST;
	if ((hdr.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP) {
		w.one = fn;
		hdr.nlmsg_flags |= fn ? 0 : NLM_F_ACK;
	}
	memcpy(m->data, &hdr, sizeof(hdr));
	s->ext[0] = '\0';
	if (sendto(s->fd, m->data, m->len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	while (rc == 1) {
		ssize_t n = receive(s);

		if (n < 0)
			return (int)n;
		rc = answer_part(s, (struct span){s->buf, (size_t)n}, &w);
	}
	return rc == 0 && w.interrupted ? -EINTR : rc;
}

static struct nlmsghdr *message(struct strbuf *batch, size_t at)
{
	return (struct nlmsghdr *)(void *)(batch->buf + at);
}

/* Numbers that no earlier request had: a late answer to one is not taken for one of these. What
 * comes before the end of the transaction is answered when all of it is done. */
static uint32_t renumber(struct nlsock *s, struct strbuf *batch)
{
	uint32_t first = s->seq + 1;
	size_t before = 0, last = 0;

	for (size_t at = 0; at < batch->len; at += message(batch, at)->nlmsg_len) {
		message(batch, at)->nlmsg_seq = ++s->seq;
		before = last;
		last = at;
	}
	message(batch, before)->nlmsg_flags |= NLM_F_ACK;
	return first;
}

/* Goes through one datagram: 1 when the transaction's answer goes on, else its result, which is
 * that of the first refusal. */
static int committed(struct nlsock *s, struct span in, uint32_t first, uint32_t *refused)
{
	struct nlmsghdr hdr;
	struct span body;

	while (nlmsg_next(&in, &hdr, &body)) {
		int rc;

		if (hdr.nlmsg_type != NLMSG_ERROR || hdr.nlmsg_seq - first > s->seq - first)
			continue;
		rc = answer_end(s, &hdr, body);
		if (rc < 0) {
			*refused = hdr.nlmsg_seq - first + 1;
			return rc;
		}
		if (hdr.nlmsg_seq == s->seq - 1)
			return 0;
	}
	return 1;
}

int nlsock_commit(struct nlsock *s, struct strbuf *batch, uint32_t *refused)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	uint32_t first = renumber(s, batch);
	int rc = 1;

	*refused = 0;
	s->ext[0] = '\0';
	if (sendto(s->fd, batch->buf, batch->len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) <
	    0)
		return -errno;
	while (rc == 1) {
		ssize_t n = receive(s);

		if (n < 0)
			return (int)n;
		rc = committed(s, (struct span){s->buf, (size_t)n}, first, refused);
	}
	return rc;
}

int nlsock_fail(const struct nlsock *s, int error, struct err *err, const char *what,
                const struct addr *a)
{
	char text[256], name[ADDR_STR_MAX];

	if (error == -EPERM)
		return err_set(err,
		               "%s %s: not permitted: run as root or give the process "
		               "CAP_NET_ADMIN",
		               what, addr_str(a, name));
	return err_set(err, "%s %s: %s", what, addr_str(a, name),
	               nlsock_strerror(s, error, text, sizeof(text)));
}

const char *nlsock_strerror(const struct nlsock *s, int error, char *buf, size_t cap)
{
	const char *text = strerror(error < 0 ? -error : error);

	if (s->ext[0])
		snprintf(buf, cap, "%s (%s)", text, s->ext);
	else
		snprintf(buf, cap, "%s", text);
	return buf;
}

int nlsock_listen(struct err *err)
{
	struct sockaddr_nl local = {.nl_family = AF_NETLINK,
	                            .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE |
	                                         RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE};
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
	                           NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0)
		return err_set(err, "netlink notifications: %s", strerror(errno));
	return steal_fd(&fd);
}

bool nlsock_drain(int fd)
{
	uint8_t waste[4096];
	bool any = false;

	for (;;) {
		ssize_t n = recv(fd, waste, sizeof(waste), MSG_TRUNC);

		if (n < 0 && errno != ENOBUFS && errno != EINTR)
			return any;
		any = true;
	}
}
