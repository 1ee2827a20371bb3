// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct addr;
struct err;

/*
 * The address of a host name, once and on the operator's machine: by getent(1), which asks what
 * this machine is set up to ask, or without it by /etc/hosts. IPv4 goes before IPv6. Several
 * addresses of one family are refused, as one of them would be taken by chance. Port of out:
 * unchanged.
 */
int resolve_name(const char *name, struct addr *out, struct err *err);

bool addr_is_loopback(const struct addr *a);
/* Is it written like a host name (RFC 1123), and not like an address? */
bool resolve_is_name(const char *s);

/* The part of it that reads: lines of "ADDRESS WORD ..."; with hosts the words behind the address
 * are names (hosts(5)) and one must be name, without (getent ahosts) each address counts. */
int resolve_parse(const char *text, const char *name, bool hosts, struct addr *out,
                  struct err *err);
