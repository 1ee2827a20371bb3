/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct err;

/* An address with a port, IPv4 or IPv6. Numeric only: a static program resolves no names. */
struct addr {
	int family; /* AF_INET or AF_INET6; 0: unset */
	union {
		struct in_addr v4;
		struct in6_addr v6;
		uint8_t bytes[16]; /* network order; IPv4 uses the first 4 */
	};
	uint16_t port; /* host order; 0: none given */
};

#define ADDR_STR_MAX 56 /* "[v6]:65535" and the NUL */

/* "1.2.3.4", "1.2.3.4:6443", "fd00::1", "[fd00::1]:6443"; without a port default_port is taken.
 * what names the option or field in the message. */
int addr_parse(const char *s, uint16_t default_port, const char *what, struct addr *out,
               struct err *err);
/* "1.2.3.4:6443", "[fd00::1]:6443"; without port when it is 0. Returns buf. */
const char *addr_str(const struct addr *a, char buf[static ADDR_STR_MAX]);
/* The address alone, without brackets or port. Returns buf. */
const char *addr_host(const struct addr *a, char buf[static ADDR_STR_MAX]);
bool addr_eq(const struct addr *a, const struct addr *b);        /* address and port */
bool addr_same_host(const struct addr *a, const struct addr *b); /* address alone */
size_t addr_len(const struct addr *a);                           /* 4 or 16 bytes */
socklen_t addr_sockaddr(const struct addr *a, struct sockaddr_storage *out);
/* The address and port of a socket or an interface (getifaddrs(3)). False: sa is NULL or of another
 * family; out is unset then. */
bool addr_from_sockaddr(const struct sockaddr *sa, struct addr *out);

/* A network in CIDR notation. */
struct cidr {
	struct addr addr;
	uint8_t bits;
};
int cidr_parse(const char *s, const char *what, struct cidr *out, struct err *err);
bool cidr_contains(const struct cidr *c, const struct addr *a);
bool cidr_overlaps(const struct cidr *a, const struct cidr *b);
const char *cidr_str(const struct cidr *c, char buf[static ADDR_STR_MAX]);
