// SPDX-License-Identifier: Apache-2.0
#include "listen.h"

#include "err.h"
#include "events.h"
#include "mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE_MS 2000 /* of a connection */
#define RETRY_MS    5000 /* between two tries to have the address */
#define BACKLOG     8

enum { SLOT_ACCEPT = LISTEN_CONNS }; /* epoll data; below: index of a connection */

int listen_init(struct listen *l, const struct addr *a, unsigned spare, listen_page_fn *page,
                void *ctx, struct err *err)
{
	l->addr = *a;
	l->spare = spare;
	l->page = page;
	l->ctx = ctx;
	l->epoll = l->fd = -1;
	if (!a->port)
		return 0;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll < 0 ? err_set(err, "--listen: %s", strerror(errno)) : 0;
}

static void conn_close(struct listen_conn *c)
{
	if (!c->open)
		return;
	close(c->fd);
	free(c->in);
	strbuf_release(&c->out);
	*c = (struct listen_conn){0};
}

void listen_release(struct listen *l)
{
	for (size_t i = 0; i < LISTEN_CONNS; i++)
		conn_close(&l->conn[i]);
	if (!l->addr.port)
		return;
	mem_auto_close(&l->fd);
	mem_auto_close(&l->epoll);
}

static int watch(struct listen *l, int fd, uint32_t slot, uint32_t events, int op)
{
	struct epoll_event ev = {.events = events, .data.u32 = slot};

	return epoll_ctl(l->epoll, op, fd, &ev);
}

/* Opens this port in place of the one that is open, if any. */
static int open_port(struct listen *l, uint16_t port)
{
	struct addr a = l->addr;
	struct sockaddr_storage sa;
	socklen_t len;
	auto_close int fd = -1;

	a.port = port;
	len = addr_sockaddr(&a, &sa);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, BACKLOG) < 0 ||
	    watch(l, fd, SLOT_ACCEPT, EPOLLIN, EPOLL_CTL_ADD) < 0)
		return -1;
	mem_auto_close(&l->fd);
	l->fd = steal_fd(&fd);
	l->port = port;
	return 0;
}

/* The address is in use: a port behind it. */
static int open_spare(struct listen *l)
{
	for (unsigned i = 1; i <= l->spare; i++)
		if (open_port(l, (uint16_t)(l->addr.port + i)) == 0)
			return 0;
	return -1;
}

static void try_address(struct listen *l, struct events *ev, uint64_t now)
{
	char name[ADDR_STR_MAX];
	int error;

	addr_str(&l->addr, name);
	l->next_try = now + RETRY_MS;
	if (open_port(l, l->addr.port) == 0) {
		if (l->failure_logged)
			event(ev, LOG_LVL_INFO, "health and metrics are served at %s now", name);
		l->failure_logged = false;
		return;
	}
	error = errno;
	if (l->fd < 0 && error == EADDRINUSE && open_spare(l) == 0)
		event(ev, LOG_LVL_WARN,
		      "--listen %s: %s; health and metrics are served at port %u meanwhile", name,
		      strerror(error), l->port);
	else if (!l->failure_logged)
		event(ev, LOG_LVL_WARN,
		      "--listen %s: %s; going on without health and metrics, trying again", name,
		      strerror(error));
	l->failure_logged = true;
}

uint64_t listen_turn(struct listen *l, struct events *ev, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	if (!l->addr.port)
		return next;
	if ((l->fd < 0 || l->port != l->addr.port) && now >= l->next_try)
		try_address(l, ev, now);
	if (l->fd < 0 || l->port != l->addr.port)
		next = l->next_try;
	for (size_t i = 0; i < LISTEN_CONNS; i++) {
		struct listen_conn *c = &l->conn[i];

		if (c->open && now >= c->deadline)
			conn_close(c);
		if (c->open && c->deadline < next)
			next = c->deadline;
	}
	return next;
}

/* A place for a connection: a free one, or that of the oldest. */
static size_t place(struct listen *l)
{
	size_t oldest = 0;

	for (size_t i = 0; i < LISTEN_CONNS; i++) {
		if (!l->conn[i].open)
			return i;
		if (l->conn[i].deadline < l->conn[oldest].deadline)
			oldest = i;
	}
	conn_close(&l->conn[oldest]);
	return oldest;
}

static const char *reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	}
	return "Unknown";
}

static void answer(struct listen *l, struct listen_conn *c, const struct request *q, int status)
{
	const char *type = "text/plain";
	auto_strbuf body = {0};

	if (status == 200)
		status = l->page(l->ctx, q->path, &body, &type);
	else
		strbuf_addf(&body, "%s\n", reason(status));
	strbuf_addf(&c->out,
	            "HTTP/1.1 %d %s\r\nContent-Type: %s; charset=utf-8\r\nContent-Length: %zu\r\n"
	            "Cache-Control: no-store\r\nConnection: close\r\n%s\r\n",
	            status, reason(status), type, body.len,
	            status == 405 ? "Allow: GET, HEAD\r\n" : "");
	if (!q->head)
		strbuf_add(&c->out, strbuf_str(&body), body.len);
}

/* True when the connection is over. */
static bool conn_send(struct listen *l, struct listen_conn *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.buf + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);

		if (n < 0)
			return errno != EAGAIN ||
			       watch(l, c->fd, (uint32_t)(c - l->conn), EPOLLOUT, EPOLL_CTL_MOD);
		c->sent += (size_t)n;
	}
	/* what came behind the request would make the kernel reset the connection at its end */
	shutdown(c->fd, SHUT_WR);
	for (int i = 0; i < 16 && recv(c->fd, c->in, REQUEST_MAX, 0) > 0; i++)
		;
	return true;
}

static bool conn_step(struct listen *l, struct listen_conn *c)
{
	struct request q;
	int status;
	ssize_t n;

	if (c->out.len)
		return conn_send(l, c);
	n = recv(c->fd, c->in + c->got, REQUEST_MAX - c->got, 0);
	if (n < 0)
		return errno != EAGAIN;
	if (n == 0)
		return true;
	c->got += (size_t)n;
	status = request_parse(c->in, c->got, &q);
	if (!status)
		return false;
	answer(l, c, &q, status);
	return conn_send(l, c);
}

static void accept_some(struct listen *l, uint64_t now)
{
	for (int i = 0; i < LISTEN_CONNS; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct listen_conn *c;

		if (fd < 0)
			return;
		c = &l->conn[place(l)];
		*c = (struct listen_conn){.open = true,
		                          .fd = fd,
		                          .deadline = now + DEADLINE_MS,
		                          .in = xmalloc(REQUEST_MAX)};
		if (watch(l, fd, (uint32_t)(c - l->conn), EPOLLIN, EPOLL_CTL_ADD) < 0 ||
		    conn_step(l, c)) /* its request is mostly there already */
			conn_close(c);
	}
}

void listen_ready(struct listen *l, uint64_t now)
{
	struct epoll_event ready[LISTEN_CONNS + 1];
	int n = epoll_wait(l->epoll, ready, ARRAY_SIZE(ready), 0);
	bool more = false;

	for (int i = 0; i < n; i++) {
		struct listen_conn *c = &l->conn[ready[i].data.u32 % LISTEN_CONNS];

		if (ready[i].data.u32 == SLOT_ACCEPT)
			more = true;
		else if (c->open && conn_step(l, c))
			conn_close(c);
	}
	if (more) /* last: it may give a place away that an event was for */
		accept_some(l, now);
}
