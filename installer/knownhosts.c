// SPDX-License-Identifier: Apache-2.0
#include "knownhosts.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "net.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <libssh2.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES (4u << 20)
#define LINE_MAX_BYTES 16384 /* longer ones are no host keys */
#define SSH_PORT       22

static const struct {
	int type, bit;
	const char *method, *shown;
} types[] = {
	{LIBSSH2_HOSTKEY_TYPE_ED25519, LIBSSH2_KNOWNHOST_KEY_ED25519, "ssh-ed25519", "ED25519"},
	{LIBSSH2_HOSTKEY_TYPE_ECDSA_256, LIBSSH2_KNOWNHOST_KEY_ECDSA_256, "ecdsa-sha2-nistp256", "ECDSA"},
	{LIBSSH2_HOSTKEY_TYPE_ECDSA_384, LIBSSH2_KNOWNHOST_KEY_ECDSA_384, "ecdsa-sha2-nistp384", "ECDSA"},
	{LIBSSH2_HOSTKEY_TYPE_ECDSA_521, LIBSSH2_KNOWNHOST_KEY_ECDSA_521, "ecdsa-sha2-nistp521", "ECDSA"},
	{LIBSSH2_HOSTKEY_TYPE_RSA, LIBSSH2_KNOWNHOST_KEY_SSHRSA, "rsa-sha2-512,rsa-sha2-256", "RSA"},
};

/* Line by line: one that libssh2 cannot read must not hide the others. revoked collects the lines
 * marked @revoked, which it does not know. */
static LIBSSH2_KNOWNHOSTS *load(LIBSSH2_SESSION *session, const char *file, struct strbuf *revoked)
{
	LIBSSH2_KNOWNHOSTS *kh = libssh2_knownhost_init(session);
	auto_strbuf text = {0};
	struct err err = {0};
	char *next, *line;

	if (!kh || !fs_exists(file) || fs_read(file, FILE_MAX_BYTES, &text, &err) < 0 || !text.len)
		return kh;
	next = text.buf;
	while ((line = strsep(&next, "\n"))) {
		size_t len = strcspn(line, "\r");

		if (!len || len > LINE_MAX_BYTES || *line == '#')
			continue;
		if (strncmp(line, "@revoked", 8) == 0 && revoked) {
			strbuf_add(revoked, line, len);
			strbuf_addch(revoked, '\n');
		}
		if (*line != '@')
			libssh2_knownhost_readline(kh, line, len, LIBSSH2_KNOWNHOST_FILE_OPENSSH);
	}
	return kh;
}

/* Is there an entry of this type for the host? A wrong key is then a mismatch, not a stranger. */
static bool has_entry(LIBSSH2_KNOWNHOSTS *kh, const struct addr *host, int bit)
{
	int mask = LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW | bit;
	char name[ADDR_STR_MAX];

	return libssh2_knownhost_checkp(kh, addr_host(host, name), host->port, "none", 4, mask, NULL) ==
	       LIBSSH2_KNOWNHOST_CHECK_MISMATCH;
}

char *knownhosts_key_types(struct _LIBSSH2_SESSION *session, const char *file,
			   const struct addr *host)
{
	LIBSSH2_KNOWNHOSTS *kh = load(session, file, NULL);
	auto_strbuf known = {0}, other = {0};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct strbuf *to = kh && has_entry(kh, host, types[i].bit) ? &known : &other;

		strbuf_addf(to, "%s%s", to->len ? "," : "", types[i].method);
	}
	if (kh)
		libssh2_knownhost_free(kh);
	if (known.len && other.len)
		strbuf_addch(&known, ',');
	strbuf_addstr(&known, strbuf_str(&other));
	return strbuf_detach(&known);
}

/* The key's verdict; a host known by another type of key only is one whose key has changed: else any
 * stranger could pass by offering a type that is not in the file. */
static int compare(LIBSSH2_KNOWNHOSTS *kh, const struct addr *host, const char *key, size_t len, int bit)
{
	char name[ADDR_STR_MAX];
	int verdict = libssh2_knownhost_checkp(
		kh, addr_host(host, name), host->port, key, len,
		LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW | bit, NULL);

	if (verdict != LIBSSH2_KNOWNHOST_CHECK_NOTFOUND)
		return verdict;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (has_entry(kh, host, types[i].bit))
			return LIBSSH2_KNOWNHOST_CHECK_MISMATCH;
	return verdict;
}

static char *base64(const void *data, size_t len)
{
	char *out = xmalloc(len / 3 * 4 + 8);

	EVP_EncodeBlock((unsigned char *)out, data, (int)len);
	return out;
}

/* "ED25519 SHA256:..." as ssh-keygen -l shows it. */
static char *fingerprint(LIBSSH2_SESSION *session, const char *shown)
{
	const char *hash = libssh2_hostkey_hash(session, LIBSSH2_HOSTKEY_HASH_SHA256);
	auto_free char *b64 = hash ? base64(hash, 32) : xstrdup("unknown");

	b64[strcspn(b64, "=")] = '\0';
	return xasprintf("%s SHA256:%s", shown, b64);
}

/* One line, one write: several processes of a run may append at the same moment. */
static int remember(const char *file, const struct addr *host, const char *method, const char *b64,
		    struct err *err)
{
	auto_free char *dir = xstrdup(file);
	auto_free char *line = NULL;
	auto_close int fd = -1;
	char name[ADDR_STR_MAX];
	char *slash = strrchr(dir, '/');

	if (slash && slash != dir) {
		*slash = '\0';
		if (fs_mkdir_p(dir, 0700, err) < 0)
			return -1;
	}
	addr_host(host, name);
	line = host->port == SSH_PORT ? xasprintf("%s %s %s\n", name, method, b64)
				      : xasprintf("[%s]:%d %s %s\n", name, host->port, method, b64);
	fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fs_write_all(fd, line, strlen(line)) < 0)
		return err_set(err, "ssh: %s: %s", file, strerror(errno));
	return 0;
}

static int judge(int verdict, const char *file, const char *print, struct err *err)
{
	if (verdict == LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
		return err_set(err,
			       "ssh: the host key has CHANGED (%s shown, another one in %s): somebody may "
			       "be listening in, or the machine was reinstalled; after checking, remove the "
			       "old key with ssh-keygen -R", print, file);
	return err_set(err,
		       "ssh: unknown host key %s: compare it with the machine's own (ssh-keygen -lf "
		       "/etc/ssh/ssh_host_*_key.pub) and add it to %s, or use --host-key accept-new",
		       print, file);
}

int knownhosts_check(struct _LIBSSH2_SESSION *session, const char *file, const struct addr *host,
		     bool accept_new, struct err *err)
{
	auto_strbuf revoked = {0};
	LIBSSH2_KNOWNHOSTS *kh;
	const char *key, *shown = "unknown", *method = "";
	size_t len = 0;
	int type = 0, bit = LIBSSH2_KNOWNHOST_KEY_UNKNOWN, verdict;

	key = libssh2_session_hostkey(session, &len, &type);
	if (!key)
		return err_set(err, "ssh: the server shows no host key");
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (types[i].type != type)
			continue;
		bit = types[i].bit;
		shown = types[i].shown;
		method = type == LIBSSH2_HOSTKEY_TYPE_RSA ? "ssh-rsa" : types[i].method;
	}
	auto_free char *print = fingerprint(session, shown);
	auto_free char *b64 = base64(key, len);

	kh = load(session, file, &revoked);
	if (!kh)
		return err_set(err, "ssh: out of memory");
	verdict = compare(kh, host, key, len, bit);
	libssh2_knownhost_free(kh);
	if (revoked.len && strstr(revoked.buf, b64))
		return err_set(err, "ssh: host key %s is marked @revoked in %s", print, file);
	if (verdict == LIBSSH2_KNOWNHOST_CHECK_MATCH)
		return 0;
	if (verdict == LIBSSH2_KNOWNHOST_CHECK_NOTFOUND && accept_new && *method)
		return remember(file, host, method, b64, err);
	return judge(verdict, file, print, err);
}
