// SPDX-License-Identifier: Apache-2.0
#include "host.h"

#include "err.h"
#include "mem.h"
#include "resolve.h"
#include "sshconf.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SSH_PORT 22

static void set_name(struct host *h)
{
	char host[ADDR_STR_MAX];
	bool v6 = h->addr.family == AF_INET6;

	if (!h->addr.family) {
		snprintf(h->name, sizeof(h->name), "this machine");
		return;
	}
	if (!*h->given)
		snprintf(h->given, sizeof(h->given), "%s", addr_host(&h->addr, host));
	if (h->addr.port == SSH_PORT)
		snprintf(h->name, sizeof(h->name), "%.253s", h->given);
	else
		snprintf(h->name, sizeof(h->name),
		         v6 && strchr(h->given, ':') ? "[%.253s]:%u" : "%.253s:%u", h->given,
		         h->addr.port);
}

static int append(struct hostlist *l, const struct host *host, struct err *err)
{
	struct host h = *host;

	set_name(&h);
	for (size_t i = 0; i < l->n; i++)
		if (addr_eq(&l->v[i].addr, &h.addr))
			return strcmp(l->v[i].name, h.name) == 0
			           ? err_set_code(err, EXIT_USAGE, "%s: named twice", h.name)
			           : err_set_code(err, EXIT_USAGE, "%s: named twice, as %s before",
			                          h.name, l->v[i].name);
	if (l->n >= HOSTS_MAX)
		return err_set_code(err, EXIT_USAGE, "more than %d machines", HOSTS_MAX);
	hostlist_append(l, &h);
	return 0;
}

/* NAME or NAME:PORT; anything else is left to addr_parse. */
static bool split_name(const char *spec, char **name, long *port)
{
	const char *colon = strchr(spec, ':');

	if (colon && strchr(colon + 1, ':')) /* IPv6 */
		colon = spec;
	*name = colon ? xstrndup(spec, (size_t)(colon - spec)) : xstrdup(spec);
	*port = 0;
	if (colon) {
		char *end;

		*port = strtol(colon + 1, &end, 10);
		if (*end || end == colon + 1 || strspn(colon + 1, "0123456789") > 5)
			*port = -1;
	}
	return resolve_is_name(*name);
}

static int bad_port(const char *what, const char *spec, struct err *err)
{
	return err_set_code(err, EXIT_USAGE, "%s: \"%s\" has no port between 1 and 65535", what,
	                    spec);
}

/* The address behind HostName or the name itself. */
static int find_address(const char *given, const char *hostname, const char *what, struct addr *out,
                        struct err *err)
{
	struct err numeric = {0};
	uint16_t port = out->port;
	struct addr a;

	if (!resolve_is_name(hostname) && addr_parse(hostname, 0, what, &a, &numeric) == 0 &&
	    a.port == 0) {
		*out = a;
		out->port = port;
		return 0;
	}
	if (!resolve_is_name(hostname))
		return err_set_code(err, EXIT_USAGE,
		                    "%s: %s: HostName \"%s\" is neither a name nor an address",
		                    what, given, hostname);
	if (resolve_name(hostname, out, err) < 0)
		return err_wrap(err, "%s", what);
	if (port == SSH_PORT && addr_is_loopback(out)) {
		char host[ADDR_STR_MAX];

		return err_set_code(err, EXIT_USAGE,
		                    "%s: %s: the name stands for %s here, which other machines "
		                    "cannot reach: give the machine's address",
		                    what, given, addr_host(out, host));
	}
	return 0;
}

int hostlist_add_like(struct hostlist *l, const char *spec, uint16_t port, const struct host *like,
                      const char *what, struct err *err)
{
	auto_free char *name = NULL, *hostname = NULL;
	const char *at = strrchr(spec, '@');
	struct host h = *like;
	long own_port;
	bool is_name;

	if (at) {
		if (at == spec || (size_t)(at - spec) >= sizeof(h.user))
			return err_set_code(err, EXIT_USAGE, "%s: \"%s\" has no user name", what,
			                    spec);
		snprintf(h.user, sizeof(h.user), "%.*s", (int)(at - spec), spec);
		spec = at + 1;
	}
	is_name = split_name(spec, &name, &own_port);
	if (!is_name) {
		char host[ADDR_STR_MAX];

		if (addr_parse(spec, 0, what, &h.addr, err) < 0) {
			err->code = EXIT_USAGE;
			return -1;
		}
		own_port = h.addr.port;
		free(steal(&name));
		name = xstrdup(addr_host(&h.addr, host));
	}
	if (own_port < 0 || own_port > UINT16_MAX || (is_name && strchr(spec, ':') && !own_port))
		return bad_port(what, spec, err);
	h.addr.port = SSH_PORT;
	h.jumps = l->jumps;
	sshconf_address(l->conf, name, &hostname, &h.addr.port, &h.jumps);
	if (own_port || port)
		h.addr.port = own_port ? (uint16_t)own_port : port;
	if ((is_name || strcmp(hostname, name) != 0) &&
	    find_address(name, hostname, what, &h.addr, err) < 0)
		return -1;
	snprintf(h.given, sizeof(h.given), "%s", name);
	return append(l, &h, err);
}

static int add_range(struct hostlist *l, const char *first, const char *last,
                     const struct host *like, const char *what, struct err *err)
{
	struct addr a, b;
	uint32_t from, to;

	if (addr_parse(first, 0, what, &a, err) < 0 || addr_parse(last, 0, what, &b, err) < 0) {
		err->code = EXIT_USAGE;
		return -1;
	}
	if (a.family != AF_INET || b.family != AF_INET || a.port)
		return err_set_code(err, EXIT_USAGE, "%s: a range needs IPv4 addresses: \"%s-%s\"",
		                    what, first, last);
	from = ntohl(a.v4.s_addr);
	to = ntohl(b.v4.s_addr);
	if (from > to || to - from >= HOSTS_MAX)
		return err_set_code(err, EXIT_USAGE,
		                    "%s: \"%s-%s\" is not a range of 1 to %d addresses", what,
		                    first, last, HOSTS_MAX);
	for (uint32_t i = from; i <= to; i++) {
		char host[ADDR_STR_MAX];

		a.v4.s_addr = htonl(i);
		if (hostlist_add_like(l, addr_host(&a, host), b.port, like, what, err) < 0)
			return -1; /* the port of 10.0.0.1-10.0.0.3:2222 is that of all */
		if (i == UINT32_MAX)
			break;
	}
	return 0;
}

/* "node-1" is a name, "10.0.0.1-10.0.0.3" and "fd00::1-fd00::2" are meant as ranges. */
static bool is_range(const char *spec)
{
	auto_free char *name = NULL;
	long port;

	return strchr(spec, '-') && !split_name(spec, &name, &port);
}

int hostlist_add(struct hostlist *l, const char *spec, bool master, struct err *err)
{
	const char *what = master ? "--master" : "--node", *at = strrchr(spec, '@');
	const char *hosts = at ? at + 1 : spec;
	struct host like = {.master = master};
	auto_free char *copy = xstrdup(hosts);
	char *dash = strchr(copy, '-');

	if (!dash || !is_range(hosts))
		return hostlist_add_like(l, spec, 0, &like, what, err);
	*dash = '\0';
	if (at && (size_t)(at - spec) < sizeof(like.user))
		snprintf(like.user, sizeof(like.user), "%.*s", (int)(at - spec), spec);
	return add_range(l, copy, dash + 1, &like, what, err);
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

int hostlist_mark_local(struct hostlist *l, struct err *err)
{
	struct ifaddrs *list;

	if (getifaddrs(&list) < 0)
		return err_set(err, "this machine's addresses: %s", strerror(errno));
	for (struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next) {
		struct addr own;

		if (!addr_from_sockaddr(ifa->ifa_addr, &own))
			continue;
		for (size_t i = 0; i < l->n; i++)
			if (l->v[i].addr.port == SSH_PORT && !l->v[i].jumps &&
			    addr_same_host(&l->v[i].addr, &own))
				l->v[i].local = true;
	}
	freeifaddrs(list);
	return 0;
}

int hostlist_join_local(struct hostlist *l, struct err *err)
{
	size_t kept = 0;
	bool seen = false;

	if (hostlist_mark_local(l, err) < 0)
		return -1;
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].local && seen)
			continue;
		seen |= l->v[i].local;
		l->v[kept++] = l->v[i];
	}
	l->n = kept;
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
