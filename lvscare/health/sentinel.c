// SPDX-License-Identifier: Apache-2.0
#include "sentinel.h"

#include "clock.h"
#include "tls.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READS_MAX 16    /* in one step: a server that sends without end must not keep the loop */
#define HEARD_MAX 65536 /* bytes after one question: one that sends more is left alone */

void sentinel_stop(struct sentinel *s)
{
	if (s->stage != SENTINEL_NONE) {
		tls_free(s->tls);
		close(s->fd);
		free(s->request);
	}
	*s = (struct sentinel){0};
}

/* What follows from what has come so far. */
static void settle(struct sentinel *s, uint64_t now)
{
	switch (s->reply.stage) {
	case HTTP_DONE:
		s->stage = SENTINEL_WAITS;
		s->due = clock_next(s->asked, s->beat_ms);
		s->due = s->due > now ? s->due : now;
		break;
	case HTTP_OTHER:
		s->stage = SENTINEL_LISTENS;
		s->due = UINT64_MAX;
		break;
	case HTTP_HEAD:
	case HTTP_BODY:
	case HTTP_BAD:
		break;
	}
}

void sentinel_adopt(struct sentinel *s, struct probe *p, unsigned beat_ms, uint64_t now)
{
	sentinel_stop(s);
	*s = (struct sentinel){.conf = p->conf,
	                       .stage = SENTINEL_ASKS,
	                       .fd = p->fd,
	                       .tls = p->tls,
	                       .request = p->request,
	                       .len = p->len,
	                       .sent = p->len,
	                       .events = EPOLLIN,
	                       .beat_ms = beat_ms,
	                       .asked = now,
	                       .due = now + p->conf->timeout_ms,
	                       .acknowledged = true,
	                       .told = true};
	http_feed(&s->reply, p->line, p->got);
	*p = (struct probe){0};
	settle(s, now);
}

__attribute__((format(printf, 4, 5))) static enum sentinel_news
ends(struct sentinel *s, struct probe_result *r, enum sentinel_news news, const char *fmt, ...)
{
	va_list ap;

	*r = (struct probe_result){.verdict = news == SENTINEL_LATE ? VERDICT_LATE
	                                                            : VERDICT_FAILED};
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
	if (news == SENTINEL_LOST && s->reply.closes) /* as announced */
		news = SENTINEL_QUIET;
	sentinel_stop(s);
	return news;
}

/* Bytes written or read, 0 at the end, or an enum tls_wait. */
static int put(struct sentinel *s)
{
	const char *rest = s->request + s->sent;
	ssize_t n;

	if (s->tls)
		return tls_write(s->tls, rest, s->len - s->sent);
	n = send(s->fd, rest, s->len - s->sent, MSG_NOSIGNAL);
	return n >= 0 ? (int)n : errno == EAGAIN ? TLS_WANT_WRITE : TLS_FAILED;
}

static int get(struct sentinel *s, char *buf, size_t cap)
{
	ssize_t n;

	if (s->tls)
		return tls_read(s->tls, buf, cap);
	n = recv(s->fd, buf, cap, 0);
	return n >= 0 ? (int)n : errno == EAGAIN ? TLS_WANT_READ : TLS_FAILED;
}

/* Sends what is left of the question; false when the connection is gone. */
static bool ask(struct sentinel *s)
{
	s->events = EPOLLIN;
	while (s->sent < s->len) {
		int n = put(s);

		if (n == TLS_WANT_WRITE)
			s->events = EPOLLIN | EPOLLOUT;
		if (n == TLS_WANT_WRITE || n == TLS_WANT_READ)
			return true;
		if (n <= 0)
			return false;
		s->sent += (size_t)n;
	}
	return true;
}

/* Reads what there is; false when the connection is gone. */
static bool listen_to(struct sentinel *s, uint64_t now)
{
	char buf[1024];

	for (int i = 0; i < READS_MAX; i++) {
		int n = get(s, buf, sizeof(buf));

		if (n == TLS_WANT_READ || n == TLS_WANT_WRITE)
			return true;
		if (n <= 0)
			return false;
		s->heard += (size_t)n;
		if (s->heard > HEARD_MAX) {
			s->reply.closes = true; /* it is we who close */
			return false;
		}
		if (s->stage == SENTINEL_WAITS) { /* nothing was asked */
			s->stage = SENTINEL_LISTENS;
			s->due = UINT64_MAX;
		}
		if (s->stage == SENTINEL_ASKS) {
			http_feed(&s->reply, buf, (size_t)n);
			settle(s, now);
			if (s->reply.stage == HTTP_BAD)
				return false;
		}
	}
	return true;
}

/* Whether the other side's kernel is still there: it has acknowledged the question. */
static bool acknowledged(const struct sentinel *s, uint64_t now, uint64_t *patience)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	*patience = SENTINEL_ACK_MS;
	if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return true;
	*patience += 2 * (uint64_t)info.tcpi_rtt / 1000;
	if (*patience > s->conf->timeout_ms)
		*patience = s->conf->timeout_ms;
	return !info.tcpi_unacked || now < s->asked + *patience;
}

static enum sentinel_news overdue(struct sentinel *s, uint64_t now, struct probe_result *r)
{
	uint64_t patience = 0;

	if (s->stage == SENTINEL_WAITS) {
		s->stage = SENTINEL_ASKS;
		s->reply = (struct http_reply){0};
		s->told = s->acknowledged = false;
		s->sent = s->heard = 0;
		s->asked = now;
		s->due = now + SENTINEL_ACK_MS;
		return ask(s) ? SENTINEL_QUIET : ends(s, r, SENTINEL_LOST, "kept connection: lost");
	}
	if (s->told) { /* the status has come, the rest does not matter */
		s->stage = SENTINEL_LISTENS;
		s->due = UINT64_MAX;
		return SENTINEL_QUIET;
	}
	if (now >= s->asked + s->conf->timeout_ms)
		return ends(s, r, SENTINEL_LATE, "kept connection: no answer within %u ms",
		            s->conf->timeout_ms);
	if (!s->acknowledged && !acknowledged(s, now, &patience))
		return ends(s, r, SENTINEL_MUTE, "kept connection: no sign of life within %u ms",
		            (unsigned)patience);
	if (!s->acknowledged && now < s->asked + patience) {
		s->due = s->asked + patience;
		return SENTINEL_QUIET;
	}
	s->acknowledged = true;
	s->due = s->asked + s->conf->timeout_ms;
	return SENTINEL_QUIET;
}

enum sentinel_news sentinel_step(struct sentinel *s, uint64_t now, struct probe_result *r)
{
	if (s->stage == SENTINEL_NONE)
		return SENTINEL_QUIET;
	/* what has come counts first: a late look is no late answer */
	if (!listen_to(s, now) || (s->stage == SENTINEL_ASKS && !ask(s)))
		return ends(s, r, SENTINEL_LOST, "kept connection: lost");
	if (!s->told && s->reply.status >= 200) {
		s->told = true;
		*r = (struct probe_result){.status = s->reply.status,
		                           .verdict = probe_judge(s->conf, s->reply.status)};
		snprintf(r->text, sizeof(r->text), "HTTP %d", r->status);
		return SENTINEL_ANSWERED;
	}
	return now >= s->due ? overdue(s, now, r) : SENTINEL_QUIET;
}
