// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct strbuf;

/*
 * What both sides say before anything is encrypted (RFC 4253, 4.2, 6 and 7.1): a line with the
 * version, then a packet with the names of the algorithms that each takes.
 */
enum kex_list {
	KEX_METHOD,
	KEX_HOSTKEY,
	KEX_CIPHER_CS,
	KEX_CIPHER_SC,
	KEX_MAC_CS,
	KEX_MAC_SC,
	KEX_COMP_CS,
	KEX_COMP_SC,
	KEX_LISTS
};

struct kexinit {
	char *list[KEX_LISTS]; /* "a,b,c", printable */
};
void kexinit_release(struct kexinit *k);

/* From the first bytes of one side. Zeroed is filled and 1 returned; 0: not all is there yet; -1:
 * not SSH. */
int kexinit_parse(const void *stream, size_t len, struct kexinit *out);

/* Where the version line ends and packets begin; 0: not there yet, -1: not SSH. */
long kex_packets_at(const void *stream, size_t len);
/* The packet at p: its payload (borrowed) and its length in all. 0: not all there, -1: no packet.
 */
long kex_packet(const unsigned char *p, size_t len, const unsigned char **payload,
                size_t *payload_len);

/* Appends which kind has no algorithm in common, with both lists; false: all kinds have one. */
bool kexinit_clash(const struct kexinit *server, const struct kexinit *own, struct strbuf *out);
/* Is one of the names of the list wanted in the other list? */
bool kex_has(const char *list, const char *name, size_t len);
