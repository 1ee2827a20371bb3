// SPDX-License-Identifier: Apache-2.0
#include "sshkey.h"

#include "err.h"
#include "fs.h"
#include "knownhosts.h"
#include "mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_BYTES (1u << 20)
#define BEGIN     "-----BEGIN OPENSSH PRIVATE KEY-----"
#define END       "-----END OPENSSH PRIVATE KEY-----"
#define MAGIC     "openssh-key-v1" /* and a NUL */

static const char *get_string(const unsigned char **p, size_t *left, size_t *len)
{
	const unsigned char *s = *p + 4;

	if (*left < 4)
		return NULL;
	*len = (size_t)(*p)[0] << 24 | (size_t)(*p)[1] << 16 | (size_t)(*p)[2] << 8 | (*p)[3];
	if (*len > *left - 4)
		return NULL;
	*p += 4 + *len;
	*left -= 4 + *len;
	return (const char *)s;
}

/* cipher, kdf, its options, how many keys (1), the public key; the private part follows. */
static int parse_openssh(const char *body, size_t len, struct sshkey *out, struct err *err)
{
	auto_strbuf text = {0}, data = {0};
	const unsigned char *p;
	const char *cipher = NULL, *public = NULL;
	size_t n, left;

	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r\n", body[i]))
			strbuf_addch(&text, body[i]);
	if (base64_decode(strbuf_str(&text), text.len, &data) == 0 && data.len > sizeof(MAGIC) &&
	    memcmp(data.buf, MAGIC, sizeof(MAGIC)) == 0) {
		p = (const unsigned char *)data.buf + sizeof(MAGIC);
		left = data.len - sizeof(MAGIC);
		cipher = get_string(&p, &left, &n);
		out->encrypted = cipher && !(n == 4 && memcmp(cipher, "none", 4) == 0);
		if (cipher && get_string(&p, &left, &n) && get_string(&p, &left, &n) && left > 4) {
			p += 4;
			left -= 4;
			public = get_string(&p, &left, &n);
		}
	}
	if (data.buf && !public)
		explicit_bzero(data.buf, data.len);
	if (!public)
		return err_set(err, "a damaged private key");
	strbuf_add(&out->public, public, n);
	out->private = true;
	explicit_bzero(data.buf, data.len);
	if (text.buf)
		explicit_bzero(text.buf, text.len);
	return 0;
}

static int parse_line(const char *text, struct sshkey *out, struct err *err)
{
	const char *key = text + strcspn(text, " \t");
	const unsigned char *p;
	size_t type = (size_t)(key - text), left, n;
	const char *inner;

	key += strspn(key, " \t");
	if (type && type < 64 && base64_decode(key, strcspn(key, " \t\r\n"), &out->public) == 0 &&
	    out->public.len > 4) {
		p = (const unsigned char *)out->public.buf;
		left = out->public.len;
		inner = get_string(&p, &left, &n);
		if (inner && n == type && memcmp(inner, text, n) == 0)
			return 0;
	}
	strbuf_reset(&out->public);
	return err_set(err, "no key that ssh would know");
}

int sshkey_parse(const char *text, size_t len, struct sshkey *out, struct err *err)
{
	auto_free char *copy = xstrndup(text, len);
	const char *begin = strstr(copy, BEGIN);
	/* behind the whole of BEGIN: END begins with the dashes that BEGIN ends with */
	const char *body = begin ? begin + strlen(BEGIN) : NULL;
	const char *end = body ? strstr(body, END) : NULL;
	int rc;

	*out = (struct sshkey){0};
	if (end) {
		rc = parse_openssh(body, (size_t)(end - body), out, err);
	} else if (strstr(copy, "-----BEGIN ") && strstr(copy, "PRIVATE KEY-----")) {
		out->private = true;
		out->encrypted = strstr(copy, "ENCRYPTED") != NULL;
		rc = 0;
	} else {
		rc = parse_line(copy, out, err);
	}
	explicit_bzero(copy, strlen(copy));
	return rc;
}

int sshkey_read(const char *file, struct sshkey *out, struct err *err)
{
	auto_free char *pub = xasprintf("%s.pub", file);
	auto_strbuf text = {0}, pub_text = {0};
	struct err ignored = {0};
	struct sshkey second = {0};
	int rc = 0;

	*out = (struct sshkey){0};
	if (access(file, F_OK) == 0) {
		if (access(file, R_OK) < 0)
			return err_set(err, "%s", strerror(errno));
		if (fs_read(file, KEY_BYTES, &text, err) < 0)
			return -1;
		rc = sshkey_parse(strbuf_str(&text), text.len, out, err);
		if (text.buf)
			explicit_bzero(text.buf, text.len);
		if (rc < 0)
			return -1;
		if (out->public.len)
			return 0;
	}
	if (access(pub, R_OK) == 0 && fs_read(pub, KEY_BYTES, &pub_text, &ignored) == 0 &&
	    sshkey_parse(strbuf_str(&pub_text), pub_text.len, &second, &ignored) == 0 &&
	    !second.private) {
		strbuf_add(&out->public, second.public.buf, second.public.len);
		sshkey_release(&second);
		return 0;
	}
	sshkey_release(&second);
	return out->private ? 0 : err_set(err, "%s", strerror(ENOENT));
}

void sshkey_release(struct sshkey *k)
{
	strbuf_release(&k->public);
	*k = (struct sshkey){0};
}
