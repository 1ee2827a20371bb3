// SPDX-License-Identifier: Apache-2.0
/*
 * op "reach": tries ports of other machines, all at the same time, and says of each what came back.
 * ICMP errors are read from the error queue (ip(7), IP_RECVERR): they tell a firewall's refusal
 * from a closed port.
 */
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "net.h"
#include "node.h"
#include "ports.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESEND_MS 500
#define WORD_MAX  (sizeof(PORTS_WORD) + PORTS_NONCE_LEN)

struct
try {
	int fd; /* -1: ended */
	bool udp, connected;
	char want[WORD_MAX]; /* the answer; "" when a connection is enough */
	char got[WORD_MAX];
	size_t len;
	const char *state; /* "": reached; NULL: nothing came yet */
};

static void end(struct try *t, const char *state)
{
	t->state = state;
	close(t->fd);
	t->fd = -1;
}

/* ---- errors ---- */

static bool admin_prohibited(const struct sock_extended_err *e)
{
	if (e->ee_origin == SO_EE_ORIGIN_ICMP)
		return e->ee_type == ICMP_DEST_UNREACH &&
		       (e->ee_code == ICMP_NET_ANO || e->ee_code == ICMP_HOST_ANO ||
		        e->ee_code == ICMP_PKT_FILTERED);
	return e->ee_origin == SO_EE_ORIGIN_ICMP6 && e->ee_type == ICMP6_DST_UNREACH &&
	       e->ee_code == ICMP6_DST_UNREACH_ADMIN;
}

/* The ICMP message behind an error, if there is one in the queue. */
static bool read_error(int fd, struct sock_extended_err *out)
{
	char control[512];
	struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)};

	if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
			memcpy(out, CMSG_DATA(c), sizeof(*out));
			return true;
		}
	return false;
}

static void fail(struct try *t, int error)
{
	struct sock_extended_err e;
	bool icmp = read_error(t->fd, &e) && e.ee_origin != SO_EE_ORIGIN_LOCAL;

	if (icmp && admin_prohibited(&e))
		end(t, "refused by a firewall (ICMP: administratively prohibited)");
	else if (error == ECONNREFUSED)
		end(t, icmp ? "refused (ICMP: port unreachable)" : "refused (connection reset)");
	else if (error == EHOSTUNREACH)
		end(t, "no such host in the network (or refused: ICMP host unreachable)");
	else if (error == ENETUNREACH)
		end(t, "no route to it");
	else if (error == EPERM || error == EACCES)
		end(t, "not sent: a firewall of the sender forbids it");
	else if (error == ECONNRESET)
		end(t, "the connection was cut before an answer");
	else
		end(t, "failed");
}

/* ---- one try ---- */

static void send_datagram(struct try *t)
{
	if (send(t->fd, t->want, strlen(t->want), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno != EAGAIN && errno != EINTR)
		fail(t, errno);
}

static void begin(struct try *t, const struct addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_sockaddr(a, &ss);
	bool v6 = a->family == AF_INET6;
	int one = 1;

	t->fd = socket(a->family,
	               (t->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->fd < 0) {
		t->state = "failed: no socket";
		return;
	}
	setsockopt(t->fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &one,
	           sizeof(one));
	if (connect(t->fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS)
		fail(t, errno);
	else if (t->udp)
		send_datagram(t);
}

/* A connection that stands: enough, or the answer is to come. */
static void on_connected(struct try *t)
{
	t->connected = true;
	if (!*t->want)
		end(t, "");
}

static void on_readable(struct try *t)
{
	ssize_t n = recv(t->fd, t->got + t->len, sizeof(t->got) - 1 - t->len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		fail(t, errno);
		return;
	}
	t->len = t->udp ? (size_t)n : t->len + (size_t)n;
	if (t->len == strlen(t->want) && memcmp(t->got, t->want, t->len) == 0)
		end(t, "");
	else if (t->udp || n == 0 || t->len >= strlen(t->want))
		end(t, "another machine or program answers there");
}

static void on_event(struct try *t, short revents)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error) {
		fail(t, error);
		return;
	}
	if (!t->udp && !t->connected && revents & POLLOUT)
		on_connected(t);
	if (t->fd >= 0 && revents & (POLLIN | POLLHUP))
		on_readable(t);
	else if (t->fd >= 0 && revents & POLLERR) {
		struct sock_extended_err dropped;

		read_error(t->fd, &dropped); /* else poll would come back with it for ever */
	}
}

static void run(struct try *v, size_t n, unsigned timeout_ms)
{
	auto_free struct pollfd *p = xcalloc(n + 1, sizeof(*p));
	long long end_ms = now_ms() + timeout_ms, again = now_ms() + RESEND_MS;

	while (now_ms() < end_ms && !node_stop_requested()) {
		size_t open = 0;
		long long next = again < end_ms ? again : end_ms, wait;

		for (size_t i = 0; i < n; i++) {
			short writable = !v[i].udp && !v[i].connected ? POLLOUT : 0;

			p[i] = (struct pollfd){.fd = v[i].fd, .events = (short)(POLLIN | writable)};
			open += v[i].fd >= 0;
		}
		if (!open)
			return;
		wait = next - now_ms();
		if (poll(p, n, wait > 0 ? (int)wait : 0) > 0)
			for (size_t i = 0; i < n; i++)
				if (v[i].fd >= 0 && p[i].revents)
					on_event(&v[i], p[i].revents);
		if (now_ms() < again)
			continue;
		again += RESEND_MS;
		for (size_t i = 0; i < n; i++)
			if (v[i].fd >= 0 && v[i].udp)
				send_datagram(&v[i]);
	}
}

/* ---- all ---- */

static int read_target(const json_t *t, struct try *out, struct addr *a, struct err *err)
{
	const char *address = arg_string(t, "address", err), *nonce = arg_string(t, "nonce", err);
	const char *proto = arg_string(t, "proto", err);
	long long port = json_integer_value(json_object_get(t, "port"));

	*out = (struct try){.fd = -1};
	if (!address || !nonce || !proto || addr_parse(address, 0, "reach", a, err) < 0)
		return -1;
	if (port < 1 || port > 65535 || strlen(nonce) > PORTS_NONCE_LEN)
		return err_set(err, "protocol: bad port");
	a->port = (uint16_t)port;
	out->udp = strcmp(proto, "udp") == 0;
	if (*nonce)
		snprintf(out->want, sizeof(out->want), PORTS_WORD "%s", nonce);
	return 0;
}

int op_reach(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const json_t *targets = json_object_get(args, "targets");
	size_t count = json_array_size(targets);
	auto_free struct try *v = xcalloc(count + 1, sizeof(*v));
	json_t *states = json_array();
	int rc = 0;

	(void)n;
	if (count > PORTS_TARGETS_MAX)
		rc = err_set(err, "protocol: too many targets");
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct addr a;

		rc = read_target(json_array_get(targets, i), &v[i], &a, err);
		if (rc == 0)
			begin(&v[i], &a);
	}
	if (rc == 0)
		run(v, count, PORTS_TIMEOUT_MS);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		const char *silent = v[i].connected ? "connected, but nothing answers"
		                                    : "no answer";

		if (v[i].fd >= 0)
			close(v[i].fd);
		json_array_append_new(states, json_string(v[i].state ? v[i].state : silent));
	}
	json_object_set_new(result, "states", states);
	return rc;
}
