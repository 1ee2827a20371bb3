// SPDX-License-Identifier: Apache-2.0
#include "knownhosts.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
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

char *base64_encode(const void *data, size_t len)
{
	char *out = xmalloc(len / 3 * 4 + 8);

	EVP_EncodeBlock((unsigned char *)out, data, (int)len);
	return out;
}

int base64_decode(const char *text, size_t len, struct strbuf *out)
{
	size_t pad = 0;
	int n;

	if (len % 4 || len > (1u << 24))
		return -1;
	for (; pad < 2 && pad < len && text[len - 1 - pad] == '='; pad++)
		;
	strbuf_grow(out, len / 4 * 3 + 1);
	n = EVP_DecodeBlock((unsigned char *)out->buf + out->len, (const unsigned char *)text,
	                    (int)len);
	if (n < (int)pad)
		return -1;
	out->len += (size_t)n - pad;
	out->buf[out->len] = '\0';
	return 0;
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
	return fnmatch(strbuf_str(&escaped), name, FNM_CASEFOLD) == 0;
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
	bool revoked, authority;
	bool plain; /* found under the name without the port */
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

/* The two names of a host: with its port, and without. */
struct names {
	char *full, *plain; /* plain NULL: they are the same */
};

/* Whether the line is about the host. The line is changed: its fields are ended by NUL. */
static bool read_line(char *line, const struct names *n, struct entry *e)
{
	auto_free char *again = NULL;
	char *word = next_word(&line);

	*e = (struct entry){0};
	if (*word == '@') {
		e->revoked = strcmp(word, "@revoked") == 0;
		e->authority = strcmp(word, "@cert-authority") == 0;
		if (!e->revoked && !e->authority)
			return false;
		word = next_word(&line);
	}
	if (!*word || *word == '#')
		return false;
	again = xstrdup(word);
	if (!names_match(word, n->full)) {
		if (!n->plain || !names_match(again, n->plain))
			return false;
		e->plain = true;
	}
	e->type = next_word(&line);
	e->key = next_word(&line);
	/* a number is the size of a key of protocol 1 */
	return *e->type && *e->key && !isdigit((unsigned char)*e->type);
}

static void names_release(struct names *n)
{
	free(n->full);
	free(n->plain);
}

static void lower(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

static void set_names(struct names *n, const struct host_id *id)
{
	bool port = id->port && id->port != SSH_PORT;

	n->full = port ? xasprintf("[%s]:%u", id->name, id->port) : xstrdup(id->name);
	n->plain = port ? xstrdup(id->name) : NULL;
	lower(n->full);
	if (port)
		lower(n->plain);
}

/* Calls each for the lines that speak of the host. */
static void each_entry(const char *text, size_t len, const struct host_id *id,
                       void (*each)(void *ctx, const struct entry *e), void *ctx)
{
	auto_free char *copy = xstrndup(text, len);
	char *next = copy, *line;
	struct names n;
	struct entry e;

	set_names(&n, id);
	while ((line = strsep(&next, "\n"))) {
		line[strcspn(line, "\r")] = '\0';
		if (strlen(line) <= LINE_MAX_BYTES && read_line(line, &n, &e))
			each(ctx, &e);
	}
	names_release(&n);
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
	else if (e->authority)
		return;
	else if (same)
		j->same = true;
	else if (!e->plain)
		j->other = true;
}

enum host_verdict knownhosts_judge(const char *text, size_t len, const struct host_id *id,
                                   const struct hostkey *key)
{
	auto_free char *b64 = base64_encode(key->blob, key->len);
	struct judgement j = {.key = b64};

	each_entry(text, len, id, judge_entry, &j);
	return j.revoked ? HOST_REVOKED
	       : j.same  ? HOST_KNOWN
	       : j.other ? HOST_CHANGED
	                 : HOST_UNKNOWN;
}

static int load(const char *file, struct strbuf *text, struct err *err)
{
	struct stat st;

	if (stat(file, &st) < 0 || !S_ISREG(st.st_mode)) /* /dev/null too */
		return 0;
	return fs_read(file, FILE_MAX_BYTES, text, err);
}

enum host_verdict knownhosts_verdict(const struct known_files *f, const struct host_id *id,
                                     const struct hostkey *key, const char **file, struct err *err)
{
	static const int rank[] = {
	    [HOST_UNKNOWN] = 0, [HOST_CHANGED] = 1, [HOST_KNOWN] = 2, [HOST_REVOKED] = 3};
	enum host_verdict best = HOST_UNKNOWN;

	for (size_t i = 0; i < f->list.n; i++) {
		auto_strbuf text = {0};
		enum host_verdict v;

		/* a file that cannot be read might revoke this very key */
		if (load(f->list.v[i], &text, err) < 0) {
			*file = f->list.v[i];
			return HOST_REVOKED;
		}
		v = knownhosts_judge(strbuf_str(&text), text.len, id, key);
		if (rank[v] > rank[best]) {
			best = v;
			if (file)
				*file = f->list.v[i];
		}
	}
	return best;
}

static void note_type(void *ctx, const struct entry *e)
{
	bool *known = ctx;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		known[i] |= !e->revoked && !e->authority && strcmp(e->type, types[i].type) == 0;
}

char *knownhosts_algorithms(const struct known_files *f, const struct host_id *id,
                            const char *first)
{
	bool known[ARRAY_SIZE(types)] = {false};
	auto_strbuf out = {0};

	for (size_t i = 0; i < f->list.n; i++) {
		auto_strbuf text = {0};
		struct err ignored = {0}; /* the check after the handshake reports it */

		if (load(f->list.v[i], &text, &ignored) == 0)
			each_entry(strbuf_str(&text), text.len, id, note_type, known);
	}
	for (int turn = 2; turn >= 0; turn--)
		for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
			bool is_first = first && strcmp(first, types[i].type) == 0;

			if (turn == (is_first ? 2 : known[i] ? 1 : 0))
				strbuf_addf(&out, "%s%s", out.len ? "," : "", types[i].algorithms);
		}
	return strbuf_detach(&out);
}

static void note_authority(void *ctx, const struct entry *e)
{
	if (e->authority && !strlist_has(ctx, e->key))
		strlist_add(ctx, e->key);
}

void knownhosts_authorities(const struct known_files *f, const struct host_id *id,
                            struct strlist *out)
{
	for (size_t i = 0; i < f->list.n; i++) {
		auto_strbuf text = {0};
		struct err ignored = {0};

		if (load(f->list.v[i], &text, &ignored) == 0)
			each_entry(strbuf_str(&text), text.len, id, note_authority, out);
	}
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

char *hostkey_fingerprint(const struct hostkey *key)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	const char *shown;
	unsigned len = 0;

	key_type(key, &shown);
	EVP_Digest(key->blob, key->len, hash, &len, EVP_sha256(), NULL);
	auto_free char *b64 = base64_encode(hash, len);

	b64[strcspn(b64, "=")] = '\0';
	return xasprintf("%s SHA256:%s", shown, b64);
}

/* ---- new keys ---- */

static char *hashed_name(const char *name)
{
	unsigned char salt[SHA1_LEN], hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (RAND_bytes(salt, SHA1_LEN) != 1)
		return xstrdup(name);
	HMAC(EVP_sha1(), salt, SHA1_LEN, (const unsigned char *)name, strlen(name), hash, &len);
	auto_free char *s = base64_encode(salt, SHA1_LEN), *h = base64_encode(hash, len);

	return xasprintf("|1|%s|%s", s, h);
}

/* The line, behind a newline of its own when the file's last line has none. One write: the file may
 * be anything from a link to /dev/null, so it is not replaced. */
static int append_line(int fd, const char *line, struct err *err)
{
	auto_free char *text = NULL;
	struct stat st;
	char last = '\n';

	if (fstat(fd, &st) < 0)
		return err_set(err, "%s", strerror(errno));
	if (S_ISREG(st.st_mode) && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) != 1)
		return err_set(err, "%s", strerror(errno));
	text = xasprintf("%s%s", last == '\n' ? "" : "\n", line);
	if (fs_write_all(fd, text, strlen(text)) == 0)
		return 0;
	err_set(err, "%s", strerror(errno));
	if (S_ISREG(st.st_mode) && ftruncate(fd, st.st_size) < 0)
		err_wrap(err, "half a line stayed");
	return -1;
}

/* Several processes of a run may do so at the same moment, for the same jump host too: they take
 * turns, and each looks again. */
static int remember(const struct known_files *f, const struct host_id *id, const char *type,
                    const struct hostkey *key, struct err *err)
{
	const char *file = f->own ? f->list.v[0] : NULL, *slash;
	auto_free char *b64 = base64_encode(key->blob, key->len), *line = NULL, *name = NULL;
	auto_free char *dir = NULL;
	auto_close int fd = -1;
	enum host_verdict v;
	struct names n;

	if (!file)
		return err_set(err, "ssh: there is no file to remember the host key in "
		                    "(--known-hosts)");
	slash = strrchr(file, '/');
	if (slash && slash != file) {
		dir = xstrndup(file, (size_t)(slash - file));
		if (fs_mkdir_p(dir, 0700, err) < 0)
			return -1;
	}
	set_names(&n, id);
	name = f->hash ? hashed_name(n.full) : xstrdup(n.full);
	names_release(&n);
	line = xasprintf("%s %s %s\n", name, type, b64);
	fd = open(file, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || (flock(fd, LOCK_EX) < 0 && errno != EINVAL && errno != ENOLCK))
		return err_set(err, "ssh: %s: %s", file, strerror(errno));
	v = knownhosts_verdict(f, id, key, &file, err);
	if (v == HOST_KNOWN)
		return 0;
	if (v != HOST_UNKNOWN)
		return err_set(err,
		               "ssh: the machine showed two different host keys within a "
		               "moment: %s has another one now",
		               file);
	if (append_line(fd, line, err) < 0)
		return err_wrap(err, "ssh: %s", file);
	return 0;
}

static int refuse_unknown(const struct known_files *f, const char *print,
                          const char *why_no_certificate, struct err *err)
{
	if (*why_no_certificate)
		return err_set(err, "ssh: unknown host key %s, and no valid certificate of it: %s",
		               print, why_no_certificate);
	return err_set(err,
	               "ssh: unknown host key %s: compare it with the machine's own (ssh-keygen "
	               "-lf /etc/ssh/ssh_host_*_key.pub) and add it to %s, or use --host-key "
	               "accept-new",
	               print, f->list.n ? f->list.v[0] : "a known_hosts file");
}

int knownhosts_check(const struct known_files *f, const struct host_id *id,
                     const struct hostkey *key, bool accept_new, const char *why_no_certificate,
                     struct err *err)
{
	auto_free char *print = hostkey_fingerprint(key);
	const char *shown, *type = key_type(key, &shown), *file = "";
	struct err unreadable = {0};

	switch (knownhosts_verdict(f, id, key, &file, &unreadable)) {
	case HOST_KNOWN:
		return 0;
	case HOST_REVOKED:
		if (*unreadable.msg)
			return err_set(err, "ssh: %s", unreadable.msg);
		return err_set(err, "ssh: host key %s is marked @revoked in %s", print, file);
	case HOST_CHANGED:
		return err_set(err,
		               "ssh: the host key has CHANGED (%s shown, another one in %s)%s%s: "
		               "somebody may be listening in, or the machine was reinstalled; "
		               "after checking, remove the old key with ssh-keygen -R",
		               print, file, *why_no_certificate ? ", and its certificate: " : "",
		               why_no_certificate);
	case HOST_UNKNOWN:
		break;
	}
	if (accept_new && type && !*why_no_certificate)
		return remember(f, id, type, key, err);
	return refuse_unknown(f, print, why_no_certificate, err);
}
