// SPDX-License-Identifier: Apache-2.0
#include "probe.h"

#include "mem.h"
#include "strbuf.h"
#include "tcp.h"
#include "tls.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum verdict probe_judge(const struct probe_conf *conf, int status)
{
	for (unsigned i = 0; i < conf->n_ready; i++)
		if (status >= conf->ready[i].from && status <= conf->ready[i].to)
			return VERDICT_READY;
	if (status == 401 || status == 403)
		return VERDICT_READY;
	return VERDICT_UNREADY;
}

void probe_stop(struct probe *p)
{
	if (p->stage == PROBE_IDLE)
		return;
	tls_free(p->tls);
	close(p->fd);
	free(p->request);
	p->tls = NULL;
	p->request = NULL;
	p->stage = PROBE_IDLE;
}

__attribute__((format(printf, 4, 5))) static bool finish(struct probe *p, struct probe_result *r,
                                                         enum verdict verdict, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
	r->verdict = verdict;
	probe_stop(p);
	return true;
}

/* What an error of the socket says. Most come from this node's own kernel: no route, a firewall,
 * ports or memory used up. "No route to host" may, when the neighbour does not answer, or come by
 * ICMP: no better than silence. */
static enum verdict judge_errno(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
		return VERDICT_REFUSED;
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ETIMEDOUT:
		return VERDICT_SILENT;
	default:
		return VERDICT_LOCAL;
	}
}

static bool fail_errno(struct probe *p, struct probe_result *r, const char *what, int error)
{
	return finish(p, r, judge_errno(error), "%s: %s", what, strerror(error));
}

static bool wait_for(struct probe *p, uint32_t events)
{
	p->events = events;
	return false;
}

/* A TLS step that did not get on. */
static bool tls_blocked(struct probe *p, struct probe_result *r, const char *what, int rc)
{
	char why[128];

	if (rc == TLS_WANT_READ)
		return wait_for(p, EPOLLIN);
	if (rc == TLS_WANT_WRITE)
		return wait_for(p, EPOLLOUT);
	if (tls_errno(p->tls))
		return fail_errno(p, r, what, tls_errno(p->tls));
	r->retry = tls_refused(p->tls);
	return finish(p, r, VERDICT_BAD, "%s: %s", what, tls_reason(p->tls, why, sizeof(why)));
}

static bool step_connect(struct probe *p, struct probe_result *r)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		return fail_errno(p, r, "connect", error);
	p->stage = p->conf->tls ? PROBE_TLS : PROBE_SEND;
	return probe_step(p, r);
}

static bool step_tls(struct probe *p, struct probe_result *r)
{
	int rc = tls_handshake(p->tls);

	if (rc < 0)
		return tls_blocked(p, r, "TLS", rc);
	p->stage = PROBE_SEND;
	return probe_step(p, r);
}

static bool step_send(struct probe *p, struct probe_result *r)
{
	while (p->sent < p->len) {
		const char *rest = p->request + p->sent;
		ssize_t n;

		if (p->tls) {
			n = tls_write(p->tls, rest, p->len - p->sent);
			if (n < 0)
				return tls_blocked(p, r, "request", (int)n);
		} else {
			n = send(p->fd, rest, p->len - p->sent, MSG_NOSIGNAL);
			if (n < 0 && errno == EAGAIN)
				return wait_for(p, EPOLLOUT);
			if (n < 0)
				return fail_errno(p, r, "request", errno);
		}
		p->sent += (size_t)n;
	}
	p->stage = PROBE_RECEIVE;
	return probe_step(p, r);
}

static bool answered(struct probe *p, struct probe_result *r)
{
	snprintf(r->text, sizeof(r->text), "HTTP %d", r->status);
	r->verdict = probe_judge(p->conf, r->status);
	p->stage = PROBE_ANSWERED;
	return true;
}

static bool step_receive(struct probe *p, struct probe_result *r)
{
	for (;;) {
		char *at = p->line + p->got;
		size_t room = sizeof(p->line) - p->got;
		ssize_t n;

		if (p->tls) {
			n = tls_read(p->tls, at, room);
			if (n < 0)
				return tls_blocked(p, r, "answer", (int)n);
		} else {
			n = recv(p->fd, at, room, 0);
			if (n < 0 && errno == EAGAIN)
				return wait_for(p, EPOLLIN);
			if (n < 0)
				return fail_errno(p, r, "answer", errno);
		}
		if (n == 0)
			return finish(p, r, VERDICT_BAD, "answer: connection closed before it");
		p->got += (size_t)n;
		r->status = http_status(p->line, p->got);
		if (r->status < 0)
			return finish(p, r, VERDICT_BAD, "answer: not HTTP");
		if (r->status >= 200)
			return answered(p, r);
		if (r->status > 0) /* 1xx was not asked for */
			return finish(p, r, VERDICT_BAD, "answer: HTTP %d", r->status);
	}
}

bool probe_step(struct probe *p, struct probe_result *r)
{
	*r = (struct probe_result){0};
	switch (p->stage) {
	case PROBE_IDLE:
	case PROBE_ANSWERED:
		return false;
	case PROBE_CONNECT:
		return step_connect(p, r);
	case PROBE_TLS:
		return step_tls(p, r);
	case PROBE_SEND:
		return step_send(p, r);
	case PROBE_RECEIVE:
		return step_receive(p, r);
	}
	return false;
}

bool probe_start(struct probe *p, const struct probe_conf *conf, struct tls_trust *trust,
                 const struct addr *peer, uint64_t now, struct probe_result *r)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_sockaddr(peer, &sa);
	char host[ADDR_STR_MAX];

	*p = (struct probe){
	    .conf = conf, .peer = *peer, .started = now, .deadline = now + conf->timeout_ms};
	*r = (struct probe_result){0};
	p->fd = tcp_socket(peer->family);
	if (p->fd < 0) {
		snprintf(r->text, sizeof(r->text), "socket: %s", strerror(errno));
		r->verdict = VERDICT_LOCAL;
		return true;
	}
	p->stage = PROBE_CONNECT;
	p->request = xasprintf("%s%s%s", conf->request, addr_str(peer, host), conf->trailer);
	p->len = strlen(p->request);
	if (conf->tls) {
		p->tls = tls_new(trust, p->fd, peer);
		if (!p->tls)
			return finish(p, r, VERDICT_LOCAL, "TLS: cannot be set up");
	}
	if (connect(p->fd, (struct sockaddr *)&sa, len) == 0)
		return probe_step(p, r);
	if (errno == EHOSTUNREACH) /* our own routes: nothing was sent */
		return finish(p, r, VERDICT_LOCAL, "connect: %s", strerror(errno));
	if (errno != EINPROGRESS)
		return fail_errno(p, r, "connect", errno);
	return wait_for(p, EPOLLOUT);
}

uint64_t probe_due(const struct probe *p)
{
	uint64_t accepted = p->started + PROBE_CONNECT_MS;

	return p->stage == PROBE_CONNECT && accepted < p->deadline ? accepted : p->deadline;
}

void probe_postpone(struct probe *p, uint64_t ms)
{
	p->started += ms;
	p->deadline += ms;
}

/* Whether the other side's kernel has acknowledged everything that was sent. */
static bool acknowledged(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	       info.tcpi_state == TCP_ESTABLISHED && !info.tcpi_unacked;
}

void probe_expire(struct probe *p, struct probe_result *r)
{
	static const char *const doing[] = {
	    [PROBE_IDLE] = "nothing", [PROBE_CONNECT] = "connect", [PROBE_TLS] = "TLS",
	    [PROBE_SEND] = "request", [PROBE_RECEIVE] = "answer",  [PROBE_ANSWERED] = "nothing"};

	*r = (struct probe_result){0};
	finish(p, r, acknowledged(p->fd) ? VERDICT_LATE : VERDICT_SILENT,
	       "%s: nothing within %u ms", doing[p->stage], (unsigned)(probe_due(p) - p->started));
}
