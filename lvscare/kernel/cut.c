// SPDX-License-Identifier: Apache-2.0
#include "cut.h"

#include "clock.h"
#include "conntrack.h"
#include "err.h"
#include "log.h"
#include "mem.h"
#include "nlsock.h"
#include "sockdiag.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_MAX 4096

/* A blank-separated word off the line; false when there is none or it does not fit. */
static bool word(const char **line, char *out, size_t cap)
{
	size_t len;

	*line += strspn(*line, " ");
	len = strcspn(*line, " \n");
	if (!len || len >= cap)
		return false;
	memcpy(out, *line, len);
	out[len] = '\0';
	*line += len;
	return true;
}

static bool hex(const char *s, size_t digits, uint32_t *out)
{
	*out = 0;
	if (strlen(s) != digits)
		return false;
	for (; *s; s++) {
		if (!isxdigit((unsigned char)*s))
			return false;
		*out = *out * 16 +
		       (uint32_t)(isdigit((unsigned char)*s) ? *s - '0' : (*s | 32) - 'a' + 10);
	}
	return true;
}

/* "0A09000B 192B", or eight groups of an IPv6 address and the port. */
static bool take_addr(const char **line, struct addr *a)
{
	char host[48], port[8];
	uint32_t n;

	*a = (struct addr){.family = AF_INET};
	if (!word(line, host, sizeof(host)) || !word(line, port, sizeof(port)))
		return false;
	if (hex(host, 8, &n)) {
		a->v4.s_addr = htonl(n);
	} else {
		a->family = AF_INET6;
		if (inet_pton(AF_INET6, host, &a->v6) != 1)
			return false;
	}
	if (!hex(port, 4, &n))
		return false;
	a->port = (uint16_t)n;
	return true;
}

bool cut_parse(const char *line, const struct addr *vs, const struct addr *rs, struct addr *client)
{
	struct addr to, dest;
	char proto[8];

	return word(&line, proto, sizeof(proto)) && strcmp(proto, "TCP") == 0 &&
	       take_addr(&line, client) && take_addr(&line, &to) && take_addr(&line, &dest) &&
	       client->family == vs->family && addr_eq(&to, vs) && addr_eq(&dest, rs);
}

void cut_add(struct cut *c, const struct addr *vs, const struct addr *client)
{
	if (c->off || c->n == CLIENTS_MAX)
		return;
	c->vs = *vs;
	if (!(c->n & (c->n - 1))) /* a power of two: full */
		c->client = xrealloc(c->client, (c->n ? 2 * c->n : 1) * sizeof(*client));
	c->client[c->n++] = *client;
}

struct search {
	struct cut *cut;
	const struct addr *rs;
	bool any; /* connections to real servers: they are tracked */
};

static void on_flow(void *ctx, const struct flow *f)
{
	struct search *s = ctx;

	s->any |= !addr_same_host(&f->server, &f->to);
	if (addr_eq(&f->server, s->rs))
		cut_add(s->cut, &f->to, &f->client);
}

bool cut_tracked(struct cut *c, const struct addr *vs, const struct addr *rs)
{
	struct search search = {.cut = c, .rs = rs};
	struct err err = {0};
	struct nlsock s;
	int rc;

	if (c->off)
		return true;
	if (nlsock_open(&s, NETLINK_NETFILTER, &err) < 0)
		return false;
	rc = conntrack_list(&s, vs, on_flow, &search);
	nlsock_release(&s);
	return rc == 0 && search.any;
}

void cut_collect(struct cut *c, const struct addr *vs, const struct addr *rs, const char *path)
{
	uint64_t end = clock_ms() + CUT_READ_MS;
	struct addr client;
	char line[256];
	unsigned n = 0;
	FILE *f;

	if (c->off)
		return;
	f = fopen(path, "re");
	if (!f)
		return;
	while (c->n < CLIENTS_MAX && fgets(line, sizeof(line), f)) {
		if (cut_parse(line, vs, rs, &client))
			cut_add(c, vs, &client);
		if (++n % 64 == 0 && clock_ms() >= end)
			break;
	}
	fclose(f);
}

static void on_socket(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	(void)hdr;
	sockdiag_decode(body, ctx);
}

/* 0, or what the kernel said. */
static int destroy(struct nlsock *s, const struct addr *client, const struct addr *vs)
{
	struct sockdiag found = {0};
	struct nlmsg m;
	int rc;

	sockdiag_encode_find(&m, client, vs);
	rc = nlsock_ask(s, &m, on_socket, &found);
	if (rc < 0)
		return rc;
	/* one that is still connecting finds another server by its next SYN */
	if (found.state == TCP_LISTEN || found.state == TCP_SYN_SENT ||
	    !addr_eq(&found.local, client) || !addr_eq(&found.remote, vs))
		return -ENOENT;
	sockdiag_encode_destroy(&m, &found);
	return nlsock_ask(s, &m, NULL, NULL);
}

size_t cut_run(struct cut *c)
{
	struct err err = {0};
	struct nlsock s;
	size_t cut = 0;

	if (c->n && nlsock_open(&s, NETLINK_SOCK_DIAG, &err) == 0) {
		for (size_t i = 0; i < c->n && !c->off; i++) {
			int rc = destroy(&s, &c->client[i], &c->vs);

			cut += rc == 0;
			c->off = rc == -EOPNOTSUPP || rc == -EPERM || rc == -EACCES;
			if (c->off)
				log_debug("idle connections to dead servers are not cut: %s",
				          strerror(-rc));
		}
		nlsock_release(&s);
	}
	cut_release(c);
	return cut;
}

void cut_release(struct cut *c)
{
	free(c->client);
	*c = (struct cut){.off = c->off};
}
