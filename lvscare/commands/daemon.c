// SPDX-License-Identifier: Apache-2.0
#include "daemon.h"

#include "err.h"
#include "health/http.h"
#include "mem.h"
#include "net.h"
#include "strbuf.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define FIELDS     5
#define LINE_CAP   1024
#define ANSWER_MAX 65536 /* bytes */
#define TIMEOUT_S  2

/* A field as text: printable ASCII, cut to what fits. */
static void take_text(char *out, size_t cap, const char *s)
{
	size_t n = 0;

	for (; *s && n + 1 < cap; s++)
		out[n++] = *s >= ' ' && *s < 0x7f ? *s : '?';
	out[n] = '\0';
}

static bool take_number(const char *s, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(s, &end, 10);
	return isdigit((unsigned char)*s) && !*end && !errno;
}

static bool take_addr(const char *s, struct addr *out)
{
	struct err ignored = {0};

	return addr_parse(s, 0, "", out, &ignored) == 0 && out->port;
}

static void take_server(char *const *f, struct daemon_status *out)
{
	struct daemon_server s = {0};

	if (out->n == DESTS_MAX || !take_addr(f[1], &s.addr) || !take_number(f[3], &s.since))
		return;
	take_text(s.state, sizeof(s.state), f[2]);
	take_text(s.text, sizeof(s.text), f[4]);
	out->server[out->n++] = s;
}

static void take_line(char *line, struct daemon_status *out)
{
	static char none[1];
	char *f[FIELDS] = {none, none, none, none, none};
	unsigned long v;

	for (int i = 0; i < FIELDS && line; i++)
		f[i] = strsep(&line, "\t");
	if (strcmp(f[0], "version") == 0)
		take_text(out->version, sizeof(out->version), f[1]);
	else if (strcmp(f[0], "virtual-server") == 0)
		take_addr(f[1], &out->vs);
	else if (strcmp(f[0], "trouble") == 0)
		take_text(out->trouble, sizeof(out->trouble), f[1]);
	else if (strcmp(f[0], "failed-open") == 0)
		out->failed_open = strcmp(f[1], "1") == 0;
	else if (strcmp(f[0], "manages-expire-nodest-conn") == 0)
		out->manages_expire = strcmp(f[1], "1") == 0;
	else if (strcmp(f[0], "uptime") == 0 && take_number(f[1], &v))
		out->uptime = v;
	else if (strcmp(f[0], "reconciled") == 0 && take_number(f[1], &v))
		out->reconciled = v < LONG_MAX ? (long)v : LONG_MAX;
	else if (strcmp(f[0], "server") == 0)
		take_server(f, out);
}

bool daemon_parse(const char *text, struct daemon_status *out)
{
	*out = (struct daemon_status){.reconciled = -1};
	while (*text) {
		size_t len = strcspn(text, "\n");
		char line[LINE_CAP];

		if (len < sizeof(line)) {
			memcpy(line, text, len);
			line[len] = '\0';
			take_line(line, out);
		}
		text += len + (text[len] == '\n');
	}
	return *out->version && out->vs.port;
}

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

int daemon_get(const struct addr *daemon, const char *path, struct strbuf *body, struct err *err)
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

int daemon_read(const struct addr *daemon, struct daemon_status *out, struct err *err)
{
	auto_strbuf body = {0};
	char name[ADDR_STR_MAX];
	int status = daemon_get(daemon, "/status", &body, err);

	addr_str(daemon, name);
	if (status < 0) {
		char why[160];

		snprintf(why, sizeof(why), "%.150s", err->msg);
		return err_set(err, "none answers at %s: %s", name, why);
	}
	if (status != 200 || !daemon_parse(strbuf_str(&body), out))
		return err_set(err, "what answers at %s is not lvscare", name);
	return 0;
}

const struct daemon_server *daemon_find(const struct daemon_status *s, const struct addr *a)
{
	for (size_t i = 0; i < s->n; i++)
		if (addr_eq(&s->server[i].addr, a))
			return &s->server[i];
	return NULL;
}
