// SPDX-License-Identifier: Apache-2.0
#include "dial.h"

#include "clock.h"
#include "mem.h"
#include "net.h"
#include "tcp.h"
#include "tls.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Until fd is ready; false after the end. */
static bool await(int fd, short events, uint64_t end)
{
	struct pollfd p = {.fd = fd, .events = events};
	uint64_t now = clock_ms();

	return now < end && poll(&p, 1, (int)(end - now)) == 1;
}

static bool dial_tcp(int fd, const struct addr *to, uint64_t end, struct dial *out)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_sockaddr(to, &sa);
	int error = 0;

	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, len) < 0)
		error = errno;
	if (error == EINPROGRESS) {
		len = sizeof(error);
		if (!await(fd, POLLOUT, end))
			error = ETIMEDOUT;
		else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
			error = errno;
	}
	if (error)
		snprintf(out->text, sizeof(out->text), "connect: %s", strerror(error));
	return !error;
}

static bool dial_tls(int fd, struct tls *t, uint64_t end, struct dial *out)
{
	char why[160];
	int rc;

	while ((rc = tls_handshake(t)) < 0) {
		if (rc == TLS_FAILED) {
			out->problems = tls_problems(t);
			snprintf(out->text, sizeof(out->text), "TLS: %s",
			         tls_reason(t, why, sizeof(why)));
			return false;
		}
		if (!await(fd, rc == TLS_WANT_READ ? POLLIN : POLLOUT, end)) {
			snprintf(out->text, sizeof(out->text), "TLS: no answer in time");
			return false;
		}
	}
	return true;
}

void dial(const struct addr *to, const struct addr *name, struct tls_trust *trust,
          unsigned timeout_ms, struct dial *out)
{
	auto_close int fd = addr_eq(to, name) ? tcp_client_socket(to->family)
	                                      : tcp_socket(to->family);
	uint64_t start = clock_ms(), end = start + timeout_ms;
	struct tls *t = NULL;

	*out = (struct dial){0};
	out->connected = dial_tcp(fd, to, end, out);
	if (out->connected) {
		t = tls_new(trust, fd, name);
		if (t)
			out->secured = dial_tls(fd, t, end, out);
		tls_free(t);
	}
	out->ms = (unsigned)(clock_ms() - start);
}
