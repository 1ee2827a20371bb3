// SPDX-License-Identifier: Apache-2.0
#include "sshkex.h"

#include "mem.h"
#include "strbuf.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LINES_BYTES  65536 /* a server may print lines before its version */
#define PACKET_BYTES 262144
#define MSG_KEXINIT  20
#define COOKIE_BYTES 16

static uint32_t get_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void kexinit_release(struct kexinit *k)
{
	for (int i = 0; i < KEX_LISTS; i++)
		free(k->list[i]);
	*k = (struct kexinit){0};
}

long kex_packets_at(const void *stream, size_t len)
{
	const char *s = stream;
	size_t at = 0;

	while (at < len) {
		const char *nl = memchr(s + at, '\n', len - at);
		bool version = len - at >= 4 && memcmp(s + at, "SSH-", 4) == 0;

		if (!nl)
			return len > LINES_BYTES ? -1 : 0;
		at = (size_t)(nl - s) + 1;
		if (version)
			return (long)at;
		if (at > LINES_BYTES)
			return -1;
	}
	return 0;
}

long kex_packet(const unsigned char *p, size_t len, const unsigned char **payload,
                size_t *payload_len)
{
	uint32_t size;

	if (len < 5)
		return 0;
	size = get_u32(p);
	if (size < 2 || size > PACKET_BYTES || p[4] > size - 2)
		return -1;
	if (len < 4 + (size_t)size)
		return 0;
	*payload = p + 5;
	*payload_len = size - 1 - p[4];
	return 4 + (long)size;
}

static int parse_lists(const unsigned char *p, size_t len, struct kexinit *out)
{
	size_t at = 1 + COOKIE_BYTES;

	for (int i = 0; i < KEX_LISTS; i++) {
		size_t n;

		if (len < 4 || at > len - 4)
			return -1;
		n = get_u32(p + at);
		at += 4;
		if (n > len - at)
			return -1;
		out->list[i] = xstrndup((const char *)p + at, n);
		for (char *c = out->list[i]; *c; c++)
			if (!isgraph((unsigned char)*c))
				*c = '?';
		at += n;
	}
	return 1;
}

int kexinit_parse(const void *stream, size_t len, struct kexinit *out)
{
	const unsigned char *p = stream, *payload;
	long at = kex_packets_at(stream, len);
	size_t n;

	while (at > 0) {
		long size = kex_packet(p + at, len - (size_t)at, &payload, &n);

		if (size <= 0)
			return (int)size;
		if (n && payload[0] == MSG_KEXINIT) {
			int rc = parse_lists(payload, n, out);

			if (rc < 0)
				kexinit_release(out);
			return rc;
		}
		at += size;
	}
	return (int)at;
}

bool kex_has(const char *list, const char *name, size_t len)
{
	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strcspn(p, ",") == len && memcmp(p, name, len) == 0)
			return true;
	}
	return false;
}

/* The client's first name that the server has, or NULL. */
static const char *agreed(const char *own, const char *server, size_t *len)
{
	for (const char *p = own; p; p = strchr(p, ',')) {
		p += *p == ',';
		*len = strcspn(p, ",");
		if (*len && kex_has(server, p, *len))
			return p;
	}
	return NULL;
}

/* Names in the list of key exchanges that are no key exchanges (RFC 8308, OpenSSH's PROTOCOL). */
static void add_real(struct strbuf *out, const char *list)
{
	const char *sep = "";

	for (const char *p = list; p; p = strchr(p, ',')) {
		size_t n;

		p += *p == ',';
		n = strcspn(p, ",");
		if (!n || strncmp(p, "ext-info-", 9) == 0 || strncmp(p, "kex-strict-", 11) == 0)
			continue;
		strbuf_addf(out, "%s%.*s", sep, (int)n, p);
		sep = ",";
	}
	if (!*sep)
		strbuf_addstr(out, "nothing");
}

static bool brings_its_mac(const char *cipher, size_t len)
{
	return memmem(cipher, len, "-gcm@", 5) || memmem(cipher, len, "-poly1305@", 10);
}

bool kexinit_clash(const struct kexinit *server, const struct kexinit *own, struct strbuf *out)
{
	static const char *const kinds[] = {"key exchange", "host key",   "cipher",
	                                    "cipher",       "MAC",        "MAC",
	                                    "compression",  "compression"};
	bool aead[2] = {false, false};

	for (int i = 0; i < KEX_LISTS; i++) {
		size_t len = 0;
		const char *name = agreed(own->list[i], server->list[i], &len);

		if (i == KEX_CIPHER_CS || i == KEX_CIPHER_SC)
			aead[i - KEX_CIPHER_CS] = name && brings_its_mac(name, len);
		if (name || ((i == KEX_MAC_CS || i == KEX_MAC_SC) && aead[i - KEX_MAC_CS]))
			continue;
		strbuf_addf(out, "no %s algorithm in common: the server takes ", kinds[i]);
		add_real(out, server->list[i]);
		strbuf_addstr(out, "; this program takes ");
		add_real(out, own->list[i]);
		return true;
	}
	return false;
}
