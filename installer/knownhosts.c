// SPDX-License-Identifier: Apache-2.0
#include "knownhosts.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "net.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES (4u << 20)
#define LINE_MAX_BYTES 16384 /* longer ones are no host keys */
#define TYPE_MAX       64
#define SHA1_LEN       20
#define SSH_PORT       22

static const struct {
	const char *type; /* in the file and in the key */
	const char *algorithms, *shown;
} types[] = {
    {"ssh-ed25519", "ssh-ed25519", "ED25519"},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "ECDSA"},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "ECDSA"},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "ECDSA"},
    {"ssh-rsa", "rsa-sha2-512,rsa-sha2-256", "RSA"},
};

static char *base64(const void *data, size_t len)
{
	char *out = xmalloc(len / 3 * 4 + 8);

	EVP_EncodeBlock((unsigned char *)out, data, (int)len);
	return out;
}

/* Exactly SHA1_LEN bytes from base64, or false. */
static bool base64_sha1(const char *text, size_t len, unsigned char out[static SHA1_LEN])
{
	unsigned char buf[24];

	/* 20 bytes are 28 characters, the last of them padding, which counts as a zero byte here */
	if (len != 28 || text[27] != '=' ||
	    EVP_DecodeBlock(buf, (const unsigned char *)text, 28) != 21)
		return false;
	memcpy(out, buf, SHA1_LEN);
	return true;
}

/* |1|SALT|HASH: HMAC-SHA1 of the name under the salt. */
static bool hashed_match(const char *field, const char *name)
{
	unsigned char salt[SHA1_LEN], want[SHA1_LEN], got[EVP_MAX_MD_SIZE];
	const char *second;
	unsigned len = 0;

	if (strncmp(field, "|1|", 3) != 0)
		return false;
	field += 3;
	second = strchr(field, '|');
	if (!second || !base64_sha1(field, (size_t)(second - field), salt) ||
	    !base64_sha1(second + 1, strlen(second + 1), want))
		return false;
	HMAC(EVP_sha1(), salt, SHA1_LEN, (const unsigned char *)name, strlen(name), got, &len);
	return len == SHA1_LEN && memcmp(got, want, SHA1_LEN) == 0;
}

/* [a]:22 is not a set of characters: only * and ? are special here. */
static bool pattern_match(const char *pattern, const char *name)
{
	auto_strbuf escaped = {0};

	for (; *pattern; pattern++) {
		if (*pattern == '[' || *pattern == ']' || *pattern == '\\')
			strbuf_addch(&escaped, '\\');
		strbuf_addch(&escaped, *pattern);
	}
	return fnmatch(strbuf_str(&escaped), name, 0) == 0;
}

static bool names_match(char *field, const char *name)
{
	char *one;
	bool match = false;

	if (*field == '|')
		return hashed_match(field, name);
	while ((one = strsep(&field, ","))) {
		if (*one == '!' && pattern_match(one + 1, name))
			return false;
		match |= *one != '!' && pattern_match(one, name);
	}
	return match;
}

struct entry {
	bool revoked;
	const char *type, *key;
};

static char *next_word(char **line)
{
	char *word;

	*line += strspn(*line, " \t");
	word = strsep(line, " \t");
	if (!*line)
		*line = word + strlen(word);
	return word;
}

/* Does this line say something about the host? line is cut to pieces. */
static bool read_line(char *line, const char *name, struct entry *e)
{
	char *word = next_word(&line);

	*e = (struct entry){0};
	if (*word == '@') {
		e->revoked = strcmp(word, "@revoked") == 0;
		if (!e->revoked)
			return false;
		word = next_word(&line);
	}
	if (!*word || *word == '#' || !names_match(word, name))
		return false;
	e->type = next_word(&line);
	e->key = next_word(&line);
	return *e->type && *e->key;
}

static const char *host_name(const struct addr *host, char buf[static ADDR_STR_MAX])
{
	char plain[ADDR_STR_MAX];

	if (host->port == SSH_PORT)
		return addr_host(host, buf);
	snprintf(buf, ADDR_STR_MAX, "[%s]:%d", addr_host(host, plain), host->port);
	return buf;
}

/* Calls each for the lines that speak of the host. */
static void each_entry(const char *text, size_t len, const struct addr *host,
                       void (*each)(void *ctx, const struct entry *e), void *ctx)
{
	auto_free char *copy = xstrndup(text, len);
	char *next = copy, *line, name[ADDR_STR_MAX];
	struct entry e;

	host_name(host, name);
	while ((line = strsep(&next, "\n"))) {
		line[strcspn(line, "\r")] = '\0';
		if (strlen(line) <= LINE_MAX_BYTES && read_line(line, name, &e))
			each(ctx, &e);
	}
}

struct judgement {
	const char *key; /* the server's, base64 */
	bool same, other, revoked;
};

static void judge_entry(void *ctx, const struct entry *e)
{
	struct judgement *j = ctx;
	bool same = strcmp(e->key, j->key) == 0;

	if (e->revoked)
		j->revoked |= same;
	else if (same)
		j->same = true;
	else
		j->other = true;
}

enum host_verdict knownhosts_judge(const char *text, size_t len, const struct addr *host,
                                   const struct hostkey *key)
{
	auto_free char *b64 = base64(key->blob, key->len);
	struct judgement j = {.key = b64};

	each_entry(text, len, host, judge_entry, &j);
	return j.revoked ? HOST_REVOKED
	       : j.same  ? HOST_KNOWN
	       : j.other ? HOST_CHANGED
	                 : HOST_UNKNOWN;
}

static void note_type(void *ctx, const struct entry *e)
{
	bool *known = ctx;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		known[i] |= !e->revoked && strcmp(e->type, types[i].type) == 0;
}

static int load(const char *file, struct strbuf *text, struct err *err)
{
	return fs_exists(file) ? fs_read(file, FILE_MAX_BYTES, text, err) : 0;
}

char *knownhosts_algorithms(const char *file, const struct addr *host)
{
	bool known[ARRAY_SIZE(types)] = {false};
	auto_strbuf text = {0}, out = {0};
	struct err ignored = {0}; /* the check after the handshake reports it */

	if (load(file, &text, &ignored) == 0)
		each_entry(strbuf_str(&text), text.len, host, note_type, known);
	for (int wanted = 1; wanted >= 0; wanted--)
		for (size_t i = 0; i < ARRAY_SIZE(types); i++)
			if (known[i] == (wanted == 1))
				strbuf_addf(&out, "%s%s", out.len ? "," : "", types[i].algorithms);
	return strbuf_detach(&out);
}

/* The type in front of the key, checked: it becomes part of a file. */
static const char *key_type(const struct hostkey *key, const char **shown)
{
	const unsigned char *p = key->blob;
	size_t len;

	*shown = "unknown";
	if (key->len < 4)
		return NULL;
	len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (len == strlen(types[i].type) && len <= key->len - 4 &&
		    memcmp(p + 4, types[i].type, len) == 0) {
			*shown = types[i].shown;
			return types[i].type;
		}
	return NULL;
}

/* "ED25519 SHA256:..." as ssh-keygen -l shows it. */
static char *fingerprint(const struct hostkey *key, const char *shown)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	EVP_Digest(key->blob, key->len, hash, &len, EVP_sha256(), NULL);
	auto_free char *b64 = base64(hash, len);

	b64[strcspn(b64, "=")] = '\0';
	return xasprintf("%s SHA256:%s", shown, b64);
}

/* One line, one write: several processes of a run may append at the same moment. */
static int remember(const char *file, const struct addr *host, const char *type,
                    const struct hostkey *key, struct err *err)
{
	auto_free char *dir = xstrdup(file), *b64 = base64(key->blob, key->len), *line = NULL;
	auto_close int fd = -1;
	char name[ADDR_STR_MAX];
	char *slash = strrchr(dir, '/');

	if (slash && slash != dir) {
		*slash = '\0';
		if (fs_mkdir_p(dir, 0700, err) < 0)
			return -1;
	}
	line = xasprintf("%s %s %s\n", host_name(host, name), type, b64);
	fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fs_write_all(fd, line, strlen(line)) < 0)
		return err_set(err, "ssh: %s: %s", file, strerror(errno));
	return 0;
}

int knownhosts_check(const char *file, const struct addr *host, const struct hostkey *key,
                     bool accept_new, struct err *err)
{
	const char *shown, *type = key_type(key, &shown);
	auto_free char *print = fingerprint(key, shown);
	auto_strbuf text = {0};

	if (load(file, &text, err) < 0)
		return err_wrap(err, "ssh");
	switch (knownhosts_judge(strbuf_str(&text), text.len, host, key)) {
	case HOST_KNOWN:
		return 0;
	case HOST_REVOKED:
		return err_set(err, "ssh: host key %s is marked @revoked in %s", print, file);
	case HOST_CHANGED:
		return err_set(err,
		               "ssh: the host key has CHANGED (%s shown, another one in %s): "
		               "somebody may be listening in, or the machine was reinstalled; "
		               "after checking, remove the old key with ssh-keygen -R",
		               print, file);
	case HOST_UNKNOWN:
		break;
	}
	if (accept_new && type)
		return remember(file, host, type, key, err);
	return err_set(err,
	               "ssh: unknown host key %s: compare it with the machine's own (ssh-keygen "
	               "-lf /etc/ssh/ssh_host_*_key.pub) and add it to %s, or use --host-key "
	               "accept-new",
	               print, file);
}
