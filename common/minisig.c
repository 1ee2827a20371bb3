// SPDX-License-Identifier: Apache-2.0
#include "minisig.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID_BYTES      8
#define SIGNED_BYTES  64 /* of an Ed25519 signature, and of a BLAKE2b-512 digest */
#define FILE_MAX      4096
#define COMMENT       "untrusted comment: "
#define TRUSTED       "trusted comment: "
#define KEY_BLOB      (2 + ID_BYTES + MINISIG_KEY_LEN)
#define SIGNATURE_LEN (2 + ID_BYTES + SIGNED_BYTES)

struct minisig_secret {
	EVP_PKEY *key;
};

/* ---- texts ---- */

/* The next line of a text, without its end; NULL at the end. The caller's. */
static char *next_line(const char **text)
{
	size_t len = strcspn(*text, "\n");
	char *line;

	if (!**text)
		return NULL;
	line = xstrndup(*text, len && (*text)[len - 1] == '\r' ? len - 1 : len);
	*text += len + ((*text)[len] == '\n');
	return line;
}

static char *encode(const unsigned char *bytes, size_t len)
{
	char *out = xmalloc((len + 2) / 3 * 4 + 1);

	EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);
	return out;
}

/* Exactly len bytes, in the one way that base64 writes them. */
static bool decode(const char *text, unsigned char *bytes, size_t len)
{
	size_t room = (len + 2) / 3 * 3;
	auto_free unsigned char *out = xcalloc(room + 1, 1);
	auto_free char *again = NULL;

	if (strlen(text) != room / 3 * 4 ||
	    EVP_DecodeBlock(out, (const unsigned char *)text, (int)strlen(text)) != (int)room)
		return false;
	memcpy(bytes, out, len);
	again = encode(bytes, len);
	return strcmp(again, text) == 0;
}

/* minisign shows the eight bytes as a little-endian number. */
static void show_id(const unsigned char bytes[static ID_BYTES], char id[static MINISIG_ID_LEN + 1])
{
	for (size_t i = 0; i < ID_BYTES; i++)
		snprintf(id + 2 * i, 3, "%02X", bytes[ID_BYTES - 1 - i]);
}

static void id_bytes(const char *id, unsigned char bytes[static ID_BYTES])
{
	unsigned byte;

	for (size_t i = 0; i < ID_BYTES; i++) {
		sscanf(id + 2 * i, "%2x", &byte);
		bytes[ID_BYTES - 1 - i] = (unsigned char)byte;
	}
}

static void digest_of(const void *data, size_t len, unsigned char out[static SIGNED_BYTES])
{
	EVP_Digest(data, len, out, NULL, EVP_blake2b512(), NULL);
}

/* ---- public keys ---- */

int minisig_key_read(const char *path, struct minisig_key *out, struct err *err)
{
	unsigned char blob[KEY_BLOB];
	auto_strbuf text = {0};
	const char *at;

	if (fs_read(path, FILE_MAX, &text, err) < 0)
		return -1;
	at = strbuf_str(&text);
	auto_free char *comment = next_line(&at), *line = next_line(&at);

	if (!comment || strncmp(comment, COMMENT, strlen(COMMENT)) != 0 || !line || *at ||
	    !decode(line, blob, sizeof(blob)) || memcmp(blob, "Ed", 2) != 0)
		return err_set(err, "%s: no public key of minisign's format", path);
	show_id(blob + 2, out->id);
	memcpy(out->bytes, blob + 2 + ID_BYTES, MINISIG_KEY_LEN);
	return 0;
}

char *minisig_key_text(const struct minisig_key *k)
{
	unsigned char blob[KEY_BLOB] = {'E', 'd'};
	auto_free char *line = NULL;

	id_bytes(k->id, blob + 2);
	memcpy(blob + 2 + ID_BYTES, k->bytes, MINISIG_KEY_LEN);
	line = encode(blob, sizeof(blob));
	return xasprintf(COMMENT "kubecask public key %s\n%s\n", k->id, line);
}

/* ---- signatures ---- */

struct signature {
	unsigned char id[ID_BYTES], data[SIGNED_BYTES], all[SIGNED_BYTES];
	bool legacy;
	char *comment; /* the trusted one */
};

static bool read_signature(const char *text, struct signature *s)
{
	unsigned char blob[SIGNATURE_LEN];
	const char *at = text;
	auto_free char *comment = next_line(&at), *line = next_line(&at);
	auto_free char *trusted = next_line(&at), *all = next_line(&at);

	if (!comment || !line || !trusted || !all || *at ||
	    strncmp(comment, COMMENT, strlen(COMMENT)) != 0 ||
	    strncmp(trusted, TRUSTED, strlen(TRUSTED)) != 0 || !decode(line, blob, sizeof(blob)) ||
	    !decode(all, s->all, sizeof(s->all)) || blob[0] != 'E' ||
	    (blob[1] != 'D' && blob[1] != 'd'))
		return false;
	s->legacy = blob[1] == 'd';
	memcpy(s->id, blob + 2, ID_BYTES);
	memcpy(s->data, blob + 2 + ID_BYTES, SIGNED_BYTES);
	s->comment = xstrdup(trusted + strlen(TRUSTED));
	return true;
}

bool minisig_id(const char *signature, char id[static MINISIG_ID_LEN + 1])
{
	struct signature s = {0};
	bool ok = read_signature(signature, &s);

	if (ok)
		show_id(s.id, id);
	free(s.comment);
	return ok;
}

static bool is_signed(EVP_PKEY *key, const unsigned char signature[static SIGNED_BYTES],
                      const void *data, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	          EVP_DigestVerify(ctx, signature, SIGNED_BYTES, data, len) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

/* What the second signature is of: the first one and the comment. */
static void add_signed(struct strbuf *out, const unsigned char signature[static SIGNED_BYTES],
                       const char *comment)
{
	strbuf_add(out, (const char *)signature, SIGNED_BYTES);
	strbuf_addstr(out, comment);
}

static int check(const struct minisig_key *k, const struct signature *s, const void *data,
                 size_t len, struct err *err)
{
	unsigned char digest[SIGNED_BYTES];
	char id[MINISIG_ID_LEN + 1];
	auto_strbuf all = {0};
	EVP_PKEY *key;
	int rc = 0;

	show_id(s->id, id);
	if (strcmp(id, k->id) != 0)
		return err_set(err, "made with key %s, and not with %s", id, k->id);
	if (s->legacy)
		return err_set(err, "of the old format, without a digest: sign it anew");
	key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->bytes, MINISIG_KEY_LEN);
	if (!key)
		return err_set(err, "key %s is no Ed25519 key", k->id);
	digest_of(data, len, digest);
	add_signed(&all, s->data, s->comment);
	if (!is_signed(key, s->data, digest, sizeof(digest)))
		rc = err_set(err, "it does not fit what is signed");
	else if (!is_signed(key, s->all, all.buf, all.len))
		rc = err_set(err, "its trusted comment was changed");
	EVP_PKEY_free(key);
	return rc;
}

int minisig_verify(const struct minisig_key *k, const void *data, size_t len, const char *signature,
                   struct err *err)
{
	struct signature s = {0};
	int rc = read_signature(signature, &s) ? check(k, &s, data, len, err)
	                                       : err_set(err, "no signature of minisign's format");

	free(s.comment);
	return rc;
}

/* ---- secret keys ---- */

static struct minisig_secret *keep(EVP_PKEY *key)
{
	struct minisig_secret *s = xcalloc(1, sizeof(*s));

	s->key = key;
	return s;
}

struct minisig_secret *minisig_secret_read(const char *path, struct err *err)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *key;

	if (!f) {
		fs_fail(err, "open", path);
		return NULL;
	}
	key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519)
		return keep(key);
	EVP_PKEY_free(key);
	err_set(err,
	        "%s: no Ed25519 key in PEM, or not the right passphrase (kubecask-pack keygen "
	        "makes one; --signer calls another program)",
	        path);
	return NULL;
}

struct minisig_secret *minisig_secret_make(const char *path, struct err *err)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	bool ok = f && key && PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 &&
	          fflush(f) == 0 && fsync(fd) == 0;

	if (!ok)
		fs_fail(err, fd < 0 ? "create" : "write", path);
	if (f)
		fclose(f);
	if (ok)
		return keep(key);
	if (fd >= 0)
		unlink(path);
	EVP_PKEY_free(key);
	return NULL;
}

void minisig_secret_free(struct minisig_secret *s)
{
	if (s)
		EVP_PKEY_free(s->key);
	free(s);
}

void minisig_secret_public(const struct minisig_secret *s, struct minisig_key *out)
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	size_t len = MINISIG_KEY_LEN;

	EVP_PKEY_get_raw_public_key(s->key, out->bytes, &len);
	SHA256(out->bytes, MINISIG_KEY_LEN, sum);
	show_id(sum, out->id);
}

static bool sign(EVP_PKEY *key, const void *data, size_t len,
                 unsigned char out[static SIGNED_BYTES])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = SIGNED_BYTES;
	bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	          EVP_DigestSign(ctx, out, &n, data, len) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

char *minisig_sign(const struct minisig_secret *s, const void *data, size_t len,
                   const char *comment, struct err *err)
{
	unsigned char blob[SIGNATURE_LEN] = {'E', 'D'}, digest[SIGNED_BYTES], all[SIGNED_BYTES];
	auto_free char *first = NULL, *second = NULL;
	auto_strbuf text = {0};
	struct minisig_key k;

	minisig_secret_public(s, &k);
	id_bytes(k.id, blob + 2);
	digest_of(data, len, digest);
	if (!sign(s->key, digest, sizeof(digest), blob + 2 + ID_BYTES)) {
		err_set(err, "OpenSSL does not sign with key %s", k.id);
		return NULL;
	}
	add_signed(&text, blob + 2 + ID_BYTES, comment);
	sign(s->key, text.buf, text.len, all);
	first = encode(blob, sizeof(blob));
	second = encode(all, sizeof(all));
	return xasprintf(COMMENT "signature with kubecask key %s\n%s\n" TRUSTED "%s\n%s\n", k.id,
	                 first, comment, second);
}
