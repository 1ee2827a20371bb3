/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <linux/netlink.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Netlink messages as bytes (linux/netlink.h, RFC 3549): a writer for the small requests of this
 * program and readers that trust nothing. No sockets here; see nlsock.h.
 */
#define NLMSG_CAP 1024

/* A request being written. Ours are all far below the capacity, which is asserted. */
struct nlmsg {
	alignas(8) uint8_t data[NLMSG_CAP];
	size_t len; /* bytes, the header's own length field follows it */
};

void nlmsg_begin(struct nlmsg *m, uint16_t type, uint16_t flags);
/* The fixed part behind the netlink header (genlmsghdr, rtmsg), padded to 4 bytes. */
void nlmsg_fixed(struct nlmsg *m, const void *data, size_t len);
void nlmsg_put(struct nlmsg *m, uint16_t type, const void *data, size_t len);
void nlmsg_put_u16(struct nlmsg *m, uint16_t type, uint16_t v);
void nlmsg_put_u32(struct nlmsg *m, uint16_t type, uint32_t v);
void nlmsg_put_be32(struct nlmsg *m, uint16_t type, uint32_t v);
void nlmsg_put_str(struct nlmsg *m, uint16_t type, const char *s); /* with its NUL */
/* Opens a nested attribute; the result goes to nlmsg_end. */
size_t nlmsg_nest(struct nlmsg *m, uint16_t type);
void nlmsg_end(struct nlmsg *m, size_t nest);

/* Bytes of a received message, borrowed. */
struct span {
	const uint8_t *p; /* NULL: not there */
	size_t len;
};

/* Takes the next message off in (header copied out, body without it); false at the end or when
 * the rest is malformed. */
bool nlmsg_next(struct span *in, struct nlmsghdr *hdr, struct span *body);

/* Takes a fixed part of len bytes (and its padding) off in, copied to out unless that is NULL;
 * false when in is too short. */
bool span_take(struct span *in, void *out, size_t len);

/* Takes the next attribute off in; false at the end or when the rest is malformed. */
bool attr_next(struct span *in, uint16_t *type, struct span *value);
/* tb[type] = payload for each attribute with type < n; the last of equal types counts, anything
 * behind a malformed attribute is ignored. */
void attr_table(struct span in, struct span *tb, size_t n);
/* Values; false when the attribute is missing or shorter than the value. */
bool attr_u16(struct span a, uint16_t *out);
bool attr_u32(struct span a, uint32_t *out);
bool attr_be16(struct span a, uint16_t *out); /* network to host order */
bool attr_be32(struct span a, uint32_t *out);
/* The text up to its first NUL or the attribute's end, cut to cap - 1 bytes. */
bool attr_str(struct span a, char *out, size_t cap);
/* Whether the value is this one. */
bool attr_is_be32(struct span a, uint32_t v);
bool attr_is_str(struct span a, const char *s);
