// SPDX-License-Identifier: Apache-2.0
#include "ask.h"

#include "err.h"
#include "health/http.h"
#include "mem.h"
#include "net.h"
#include "strbuf.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX 65536 /* bytes */
#define TIMEOUT_S  2

static int failed(const char *what, struct err *err)
{
	return err_set(err, "%s: %s", what,
	               errno == EAGAIN || errno == EINPROGRESS ? "no answer within 2 s"
	                                                       : strerror(errno));
}

static int receive(int fd, struct strbuf *answer, struct err *err)
{
	time_t end = time(NULL) + TIMEOUT_S;

	for (;;) {
		char buf[4096];
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n < 0)
			return failed("answer", err);
		if (n == 0)
			return 0;
		strbuf_add(answer, buf, (size_t)n);
		if (answer->len > ANSWER_MAX || time(NULL) > end)
			return err_set(err, "answer: too long");
	}
}

int ask(const struct addr *daemon, const char *path, struct strbuf *body, struct err *err)
{
	struct timeval limit = {.tv_sec = TIMEOUT_S};
	struct sockaddr_storage sa;
	socklen_t len = addr_sockaddr(daemon, &sa);
	auto_close int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_strbuf request = {0};
	char host[ADDR_STR_MAX];
	const char *end;
	int status;

	strbuf_addf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path,
	            addr_str(daemon, host));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, len) < 0)
		return failed("connect", err);
	if (send(fd, request.buf, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
		return failed("request", err);
	if (receive(fd, body, err) < 0)
		return -1;
	status = http_status(strbuf_str(body), body->len);
	end = strstr(strbuf_str(body), "\r\n\r\n");
	if (status <= 0 || !end)
		return err_set(err, "answer: not HTTP");
	strbuf_consume(body, (size_t)(end - body->buf) + 4);
	return status;
}
