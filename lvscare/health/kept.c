// SPDX-License-Identifier: Apache-2.0
#include "kept.h"

#include "clock.h"
#include "tls.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define READS_MAX    16    /* in one step: a server that sends without end must not keep the loop */
#define RECEIVED_MAX 65536 /* bytes after one question: one that sends more is left alone */

void kept_stop(struct kept *k)
{
	if (k->stage != KEPT_NONE) {
		tls_free(k->tls);
		close(k->fd);
		free(k->request);
	}
	*k = (struct kept){0};
}

/* What follows from what has come so far. */
static void after_reply(struct kept *k, uint64_t now)
{
	switch (k->reply.stage) {
	case HTTP_DONE:
		k->stage = KEPT_WAITING;
		k->due = clock_next(k->asked, k->every_ms);
		k->due = k->due > now ? k->due : now;
		break;
	case HTTP_OTHER:
		k->stage = KEPT_MUTE;
		k->due = UINT64_MAX;
		break;
	case HTTP_HEAD:
	case HTTP_BODY:
	case HTTP_BAD:
		break;
	}
}

void kept_adopt(struct kept *k, struct probe *p, unsigned every_ms, uint64_t now)
{
	kept_stop(k);
	*k = (struct kept){.conf = p->conf,
	                   .stage = KEPT_ASKED,
	                   .fd = p->fd,
	                   .tls = p->tls,
	                   .request = p->request,
	                   .len = p->len,
	                   .sent = p->len,
	                   .events = EPOLLIN,
	                   .every_ms = every_ms,
	                   .asked = now,
	                   .due = now + p->conf->timeout_ms,
	                   .ack_checked = true,
	                   .reported = true};
	http_feed(&k->reply, p->line, p->got);
	*p = (struct probe){0};
	after_reply(k, now);
}

__attribute__((format(printf, 4, 5))) static enum kept_result
finish(struct kept *k, struct probe_result *r, enum kept_result result, const char *fmt, ...)
{
	va_list ap;

	*r = (struct probe_result){.verdict = result == KEPT_TIMEOUT ? VERDICT_LATE
	                                                             : VERDICT_SILENT};
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
	if (result == KEPT_CLOSED && k->reply.closes) /* as announced */
		result = KEPT_IDLE;
	kept_stop(k);
	return result;
}

/* Bytes written or read, 0 at the end, or an enum tls_wait. */
static int write_some(struct kept *k)
{
	const char *rest = k->request + k->sent;
	ssize_t n;

	if (k->tls)
		return tls_write(k->tls, rest, k->len - k->sent);
	n = send(k->fd, rest, k->len - k->sent, MSG_NOSIGNAL);
	return n >= 0 ? (int)n : errno == EAGAIN ? TLS_WANT_WRITE : TLS_FAILED;
}

static int read_some(struct kept *k, char *buf, size_t cap)
{
	ssize_t n;

	if (k->tls)
		return tls_read(k->tls, buf, cap);
	n = recv(k->fd, buf, cap, 0);
	return n >= 0 ? (int)n : errno == EAGAIN ? TLS_WANT_READ : TLS_FAILED;
}

/* Sends what is left of the question; false when the connection is gone. */
static bool send_rest(struct kept *k)
{
	k->events = EPOLLIN;
	while (k->sent < k->len) {
		int n = write_some(k);

		if (n == TLS_WANT_WRITE)
			k->events = EPOLLIN | EPOLLOUT;
		if (n == TLS_WANT_WRITE || n == TLS_WANT_READ)
			return true;
		if (n <= 0)
			return false;
		k->sent += (size_t)n;
	}
	return true;
}

/* Reads what there is; false when the connection is gone. */
static bool receive(struct kept *k, uint64_t now)
{
	char buf[1024];

	for (int i = 0; i < READS_MAX; i++) {
		int n = read_some(k, buf, sizeof(buf));

		if (n == TLS_WANT_READ || n == TLS_WANT_WRITE)
			return true;
		if (n <= 0)
			return false;
		k->received += (size_t)n;
		if (k->received > RECEIVED_MAX) {
			k->reply.closes = true; /* it is we who close */
			return false;
		}
		if (k->stage == KEPT_WAITING) { /* nothing was asked */
			k->stage = KEPT_MUTE;
			k->due = UINT64_MAX;
		}
		if (k->stage == KEPT_ASKED) {
			http_feed(&k->reply, buf, (size_t)n);
			after_reply(k, now);
			if (k->reply.stage == HTTP_BAD)
				return false;
		}
	}
	return true;
}

/* Whether the server's kernel has acknowledged all of the question. What still waits on this side
 * was not taken by it either. */
static bool acknowledged(const struct kept *k)
{
	int bytes = 0;

	return ioctl(k->fd, SIOCOUTQ, &bytes) < 0 || !bytes;
}

/* ms that an acknowledgement may take: the round trips are those of this connection. */
static uint64_t ack_ms(const struct kept *k)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	uint64_t ms = KEPT_ACK_MS;

	if (getsockopt(k->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
		ms += 2 * (uint64_t)info.tcpi_rtt / 1000;
	return ms < k->conf->timeout_ms ? ms : k->conf->timeout_ms;
}

static enum kept_result ask(struct kept *k, uint64_t now, struct probe_result *r)
{
	k->stage = KEPT_ASKED;
	k->reply = (struct http_reply){0};
	k->reported = k->ack_checked = false;
	k->sent = k->received = 0;
	k->asked = now;
	k->due = now + ack_ms(k);
	return send_rest(k) ? KEPT_IDLE : finish(k, r, KEPT_CLOSED, "kept connection: closed");
}

/* Its time has come, and no answer. */
static enum kept_result overdue(struct kept *k, uint64_t now, struct probe_result *r)
{
	uint64_t end = k->asked + k->conf->timeout_ms;

	if (k->stage == KEPT_WAITING)
		return ask(k, now, r);
	if (k->reported) { /* the status has come, the rest does not matter */
		k->stage = KEPT_MUTE;
		k->due = UINT64_MAX;
		return KEPT_IDLE;
	}
	if (!acknowledged(k)) {
		bool first = !k->ack_checked;

		k->ack_checked = true;
		k->due = now < end ? end : now + k->conf->timeout_ms;
		if (!first)
			return KEPT_IDLE;
		*r = (struct probe_result){.verdict = VERDICT_SILENT};
		snprintf(r->text, sizeof(r->text), "kept connection: not acknowledged within %u ms",
		         (unsigned)(now - k->asked));
		return KEPT_NO_ACK;
	}
	if (now >= end)
		return finish(k, r, KEPT_TIMEOUT, "kept connection: no answer within %u ms",
		              k->conf->timeout_ms);
	k->ack_checked = true;
	k->due = end;
	return KEPT_IDLE;
}

enum kept_result kept_step(struct kept *k, uint64_t now, struct probe_result *r)
{
	if (k->stage == KEPT_NONE)
		return KEPT_IDLE;
	/* what has come counts first: a late look is no late answer */
	if (!receive(k, now) || (k->stage == KEPT_ASKED && !send_rest(k)))
		return finish(k, r, KEPT_CLOSED, "kept connection: closed");
	if (!k->reported && k->reply.status >= 200) {
		k->reported = true;
		*r = (struct probe_result){.status = k->reply.status,
		                           .verdict = probe_judge(k->conf, k->reply.status)};
		snprintf(r->text, sizeof(r->text), "HTTP %d", r->status);
		return KEPT_ANSWERED;
	}
	return now >= k->due ? overdue(k, now, r) : KEPT_IDLE;
}

void kept_ask_now(struct kept *k, uint64_t now)
{
	if (k->stage == KEPT_WAITING)
		k->due = now;
}

void kept_postpone(struct kept *k, uint64_t ms)
{
	if (k->stage != KEPT_ASKED)
		return;
	k->asked += ms;
	k->due += ms;
}
