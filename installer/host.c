// SPDX-License-Identifier: Apache-2.0
#include "host.h"

#include "err.h"
#include "mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SSH_PORT 22

static void set_name(struct host *h)
{
	if (!h->addr.family)
		snprintf(h->name, sizeof(h->name), "this machine");
	else if (h->addr.port == SSH_PORT)
		addr_host(&h->addr, h->name);
	else
		addr_str(&h->addr, h->name);
}

static int append(struct hostlist *l, const struct addr *a, bool master, struct err *err)
{
	struct host h = {.addr = *a, .master = master};

	set_name(&h);
	for (size_t i = 0; i < l->n; i++)
		if (addr_eq(&l->v[i].addr, a))
			return err_set_code(err, EXIT_USAGE, "%s: named twice", h.name);
	if (l->n >= HOSTS_MAX)
		return err_set_code(err, EXIT_USAGE, "more than %d machines", HOSTS_MAX);
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = h;
	return 0;
}

static int add_range(struct hostlist *l, const char *first, const char *last, bool master,
                     struct err *err)
{
	const char *what = master ? "--master" : "--node";
	struct addr a, b;
	uint32_t from, to;

	if (addr_parse(first, SSH_PORT, what, &a, err) < 0 ||
	    addr_parse(last, SSH_PORT, what, &b, err) < 0) {
		err->code = EXIT_USAGE;
		return -1;
	}
	if (a.family != AF_INET || b.family != AF_INET)
		return err_set_code(err, EXIT_USAGE, "%s: a range needs IPv4 addresses: \"%s-%s\"",
		                    what, first, last);
	from = ntohl(a.v4.s_addr);
	to = ntohl(b.v4.s_addr);
	if (from > to || to - from >= HOSTS_MAX)
		return err_set_code(err, EXIT_USAGE,
		                    "%s: \"%s-%s\" is not a range of 1 to %d addresses", what,
		                    first, last, HOSTS_MAX);
	a.port = b.port; /* 10.0.0.1-10.0.0.3:2222 */
	for (uint32_t i = from; i <= to; i++) {
		a.v4.s_addr = htonl(i);
		if (append(l, &a, master, err) < 0)
			return -1;
		if (i == UINT32_MAX)
			break;
	}
	return 0;
}

int hostlist_add(struct hostlist *l, const char *spec, bool master, struct err *err)
{
	auto_free char *copy = xstrdup(spec);
	char *dash = strchr(copy, '-');
	struct addr a;

	if (dash) {
		*dash = '\0';
		return add_range(l, copy, dash + 1, master, err);
	}
	if (addr_parse(spec, SSH_PORT, master ? "--master" : "--node", &a, err) < 0) {
		err->code = EXIT_USAGE;
		return -1;
	}
	return append(l, &a, master, err);
}

struct host *hostlist_add_local(struct hostlist *l, const struct addr *addr, bool master)
{
	struct host h = {.addr = *addr, .master = master, .local = true};

	h.addr.port = SSH_PORT;
	set_name(&h);
	hostlist_append(l, &h);
	return &l->v[l->n - 1];
}

void hostlist_append(struct hostlist *l, const struct host *h)
{
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = *h;
}

static bool same_address(const struct addr *a, const struct sockaddr *sa)
{
	if (!sa || sa->sa_family != a->family)
		return false;
	if (a->family == AF_INET)
		return memcmp(&((const struct sockaddr_in *)(const void *)sa)->sin_addr, &a->v4,
		              4) == 0;
	return memcmp(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, &a->v6, 16) == 0;
}

int hostlist_mark_local(struct hostlist *l, struct err *err)
{
	struct ifaddrs *list;

	if (getifaddrs(&list) < 0)
		return err_set(err, "this machine's addresses: %s", strerror(errno));
	for (size_t i = 0; i < l->n; i++)
		for (struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next)
			if (l->v[i].addr.port == SSH_PORT &&
			    same_address(&l->v[i].addr, ifa->ifa_addr))
				l->v[i].local = true;
	freeifaddrs(list);
	return 0;
}

size_t hostlist_masters(const struct hostlist *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].master;
	return n;
}

void hostlist_release(struct hostlist *l)
{
	free(l->v);
	*l = (struct hostlist){0};
}
