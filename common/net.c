// SPDX-License-Identifier: Apache-2.0
#include "net.h"

#include "err.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Decimal without sign or blanks; -1 when malformed or above max. */
static long number(const char *s, long max)
{
	long v = 0;

	if (!*s || strlen(s) > 5)
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		v = v * 10 + (*s - '0');
	}
	return v > max ? -1 : v;
}

static bool parse_host(const char *s, struct addr *out)
{
	if (inet_pton(AF_INET, s, &out->v4) == 1) {
		out->family = AF_INET;
		return true;
	}
	if (inet_pton(AF_INET6, s, &out->v6) == 1) {
		out->family = AF_INET6;
		return true;
	}
	return false;
}

/* Splits "host:port", "[v6]:port", "v6" and "host" in place; *port is NULL when there is none. */
static bool split(char *s, char **host, char **port)
{
	char *colon;

	*host = s;
	*port = NULL;
	if (*s == '[') {
		char *end = strchr(s, ']');

		if (!end)
			return false;
		*end = '\0';
		*host = s + 1;
		if (end[1] == ':')
			*port = end + 2;
		else if (end[1])
			return false;
		return strchr(*host, ':') != NULL;
	}
	colon = strchr(s, ':');
	if (colon && !strchr(colon + 1, ':')) { /* two colons: IPv6 without a port */
		*colon = '\0';
		*port = colon + 1;
	}
	return true;
}

int addr_parse(const char *s, uint16_t default_port, const char *what, struct addr *out,
               struct err *err)
{
	struct addr a = {.port = default_port};
	char buf[ADDR_STR_MAX + 16];
	char *host, *port;

	if (strlen(s) >= sizeof(buf))
		return err_set_code(err, EXIT_USAGE, "%s: \"%.40s...\" is too long for an address",
		                    what, s);
	strcpy(buf, s);
	if (!split(buf, &host, &port) || !parse_host(host, &a))
		return err_set_code(err, EXIT_USAGE,
		                    "%s: \"%s\" is not a numeric IPv4 or IPv6 address", what, s);
	if (port) {
		long n = number(port, 65535);

		if (n < 1)
			return err_set_code(err, EXIT_USAGE,
			                    "%s: \"%s\" has no port between 1 and 65535", what, s);
		a.port = (uint16_t)n;
	}
	*out = a;
	return 0;
}

const char *addr_host(const struct addr *a, char buf[static ADDR_STR_MAX])
{
	if (!a->family || !inet_ntop(a->family, a->bytes, buf, ADDR_STR_MAX))
		strcpy(buf, "-");
	return buf;
}

const char *addr_str(const struct addr *a, char buf[static ADDR_STR_MAX])
{
	char host[ADDR_STR_MAX];

	addr_host(a, host);
	if (!a->port)
		return strcpy(buf, host);
	snprintf(buf, ADDR_STR_MAX, a->family == AF_INET6 ? "[%.46s]:%u" : "%.46s:%u", host,
	         a->port);
	return buf;
}

size_t addr_len(const struct addr *a)
{
	return a->family == AF_INET6 ? 16 : 4;
}

bool addr_same_host(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, addr_len(a)) == 0;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_same_host(a, b);
}

socklen_t addr_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (a->family == AF_INET6) {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)out;

		sin6->sin6_family = AF_INET6;
		sin6->sin6_addr = a->v6;
		sin6->sin6_port = htons(a->port);
		return sizeof(*sin6);
	}
	struct sockaddr_in *sin = (struct sockaddr_in *)out;

	sin->sin_family = AF_INET;
	sin->sin_addr = a->v4;
	sin->sin_port = htons(a->port);
	return sizeof(*sin);
}

bool addr_from_sockaddr(const struct sockaddr *sa, struct addr *out)
{
	*out = (struct addr){0};
	if (sa && sa->sa_family == AF_INET) {
		const struct sockaddr_in *sin = (const void *)sa;

		*out = (struct addr){AF_INET, .v4 = sin->sin_addr, .port = ntohs(sin->sin_port)};
	} else if (sa && sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *sin6 = (const void *)sa;

		*out = (struct addr){AF_INET6, .v6 = sin6->sin6_addr,
		                     .port = ntohs(sin6->sin6_port)};
	}
	return out->family != 0;
}

/* The first bits of both are the same. */
static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return !rest || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

int cidr_parse(const char *s, const char *what, struct cidr *out, struct err *err)
{
	struct cidr c = {0};
	char buf[ADDR_STR_MAX];
	char *slash;
	long bits;

	snprintf(buf, sizeof(buf), "%s", s);
	slash = strchr(buf, '/');
	if (slash)
		*slash = '\0';
	if (!slash || strlen(s) >= sizeof(buf) || !parse_host(buf, &c.addr))
		return err_set_code(err, EXIT_USAGE,
		                    "%s: \"%s\" is not a network such as 10.244.0.0/16", what, s);
	bits = number(slash + 1, (long)addr_len(&c.addr) * 8);
	if (bits < 0)
		return err_set_code(err, EXIT_USAGE,
		                    "%s: \"%s\" has no prefix length from 0 to %zu", what, s,
		                    addr_len(&c.addr) * 8);
	c.bits = (uint8_t)bits;
	*out = c;
	return 0;
}

bool cidr_contains(const struct cidr *c, const struct addr *a)
{
	return c->addr.family == a->family && same_prefix(c->addr.bytes, a->bytes, c->bits);
}

bool cidr_overlaps(const struct cidr *a, const struct cidr *b)
{
	unsigned bits = a->bits < b->bits ? a->bits : b->bits;

	return a->addr.family == b->addr.family && same_prefix(a->addr.bytes, b->addr.bytes, bits);
}

const char *cidr_str(const struct cidr *c, char buf[static ADDR_STR_MAX])
{
	char host[ADDR_STR_MAX];

	snprintf(buf, ADDR_STR_MAX, "%.46s/%u", addr_host(&c->addr, host), c->bits);
	return buf;
}
