// SPDX-License-Identifier: Apache-2.0
#include "sign.h"

#include "bundle.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "minisig.h"
#include "oci.h"
#include "proc.h"
#include "strbuf.h"
#include "tarball.h"
#include "tarread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TAR_BLOCK     512
#define BLOB_PREFIX   "blobs/sha256/"
#define SIGNATURE_MAX 4096

/* ---- keys ---- */

int sign_keygen(const char *file, struct err *err)
{
	auto_free char *public = xasprintf("%s.pub", file), *text = NULL;
	struct minisig_secret *s;
	struct minisig_key k;
	int rc;

	if (fs_exists(public))
		return err_set(err, "%s is there already, it stays as it is", public);
	s = minisig_secret_make(file, err);
	if (!s)
		return -1;
	minisig_secret_public(s, &k);
	text = minisig_key_text(&k);
	rc = fs_write_atomic(public, text, strlen(text), 0644, err);
	if (rc < 0)
		unlink(file); /* half a pair: the same command makes a whole one */
	minisig_secret_free(s);
	if (rc == 0)
		printf("key %s: %s stays secret, %s goes to whoever installs\n", k.id, file,
		       public);
	return rc;
}

/* ---- what is in a bundle ---- */

struct member {
	char *name;
	int64_t at; /* of its header */
};

struct contents {
	struct member *v;
	size_t n;
	int64_t mtime;
	struct strbuf index, sum;
};

static void contents_release(struct contents *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].name);
	free(c->v);
	strbuf_release(&c->index);
	strbuf_release(&c->sum);
}

static int read_text(struct tar_reader *tar, struct strbuf *out, struct err *err)
{
	ssize_t n;

	do {
		strbuf_grow(out, 1 << 16);
		n = tar_reader_data(tar, out->buf + out->len, 1 << 16, err);
		if (n > 0)
			out->len += (size_t)n;
	} while (n > 0 && out->len < OCI_JSON_MAX);
	return n > 0 ? err_set(err, "too large") : (int)n;
}

/* A blob's name is the digest of its bytes. */
static int check_blob(struct tar_reader *tar, const char *name, struct err *err)
{
	struct digest_ctx *ctx = digest_new();
	auto_free char *buf = xmalloc(1 << 18);
	struct err ignored = {0};
	struct digest is;
	ssize_t n;

	while ((n = tar_reader_data(tar, buf, 1 << 18, &ignored)) > 0)
		digest_update(ctx, buf, (size_t)n);
	digest_final(ctx, &is);
	return n == 0 && strcmp(digest_hex(&is), name + strlen(BLOB_PREFIX)) == 0
	           ? 0
	           : err_set(err, "%s is damaged", name);
}

static int take_member(struct contents *c, struct tar_reader *tar, const char *name,
                       struct err *err)
{
	c->v = xreallocarray(c->v, c->n + 1, sizeof(*c->v));
	c->v[c->n++] = (struct member){xstrdup(name), tar_reader_position(tar)};
	c->mtime = tar_reader_mtime(tar);
	if (strcmp(name, "index.json") == 0)
		return read_text(tar, &c->index, err);
	if (strcmp(name, "index.json.sha256") == 0)
		return read_text(tar, &c->sum, err);
	return strncmp(name, BLOB_PREFIX, strlen(BLOB_PREFIX)) == 0 ? check_blob(tar, name, err)
	                                                            : 0;
}

static int check_index(const struct contents *c, struct err *err)
{
	struct digest is;

	digest_data(strbuf_str(&c->index), c->index.len, &is);
	if (c->index.len && strncmp(strbuf_str(&c->sum), digest_hex(&is), DIGEST_HEX_LEN) == 0)
		return 0;
	return err_set(err, "no bundle, or a damaged one: index.json does not match "
	                    "index.json.sha256");
}

static int read_contents(const char *path, struct contents *c, struct err *err)
{
	struct tar_reader *tar = tar_reader_open(path, err);
	const char *name;
	bool regular;
	int rc = tar ? 0 : -1;

	while (rc == 0 && (rc = tar_reader_next(tar, &name, &regular, err)) == 1)
		rc = take_member(c, tar, name, err);
	tar_reader_close(tar);
	if (rc == 0)
		rc = check_index(c, err);
	return rc < 0 ? err_wrap(err, "%s", path) : 0;
}

/* ---- the signature ---- */

static char *sign_with_key(const char *key, const struct contents *c, struct err *err)
{
	struct minisig_secret *s = minisig_secret_read(key, err);
	auto_free char *comment = xasprintf("timestamp:%lld\tfile:index.json\thashed",
	                                    (long long)time(NULL));
	char *text;

	if (!s)
		return NULL;
	text = minisig_sign(s, c->index.buf, c->index.len, comment, err);
	minisig_secret_free(s);
	return text;
}

/* The command sees a file of that name alone: some signers write names into what they sign. */
static char *sign_with_command(const char *signer, const struct contents *c, struct err *err)
{
	char dir[] = "/tmp/kubecask-sign.XXXXXX";
	auto_free char *file = NULL;
	auto_strbuf out = {0};
	struct err ignored = {0};
	int rc;

	if (!mkdtemp(dir)) {
		err_set(err, "%s: %s", dir, strerror(errno));
		return NULL;
	}
	file = xasprintf("%s/index.json", dir);
	const char *const argv[] = {"sh", "-c", signer, "sh", file, NULL};

	rc = fs_write_atomic(file, c->index.buf, c->index.len, 0600, err);
	if (rc == 0 && proc_check(argv, NULL, &out, err) < 0)
		rc = err_wrap(err, "--signer");
	fs_remove_tree(dir, &ignored);
	return rc < 0 ? NULL : strbuf_detach(&out);
}

/* ---- the new bundle ---- */

static int collect(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	strbuf_add(ctx, data, len);
	return 0;
}

/* One tar member: its header, its bytes, up to a whole block. */
static int make_member(const char *name, const char *text, int64_t mtime, struct strbuf *out,
                       struct err *err)
{
	size_t len = strlen(text);
	struct tar *t = tar_open(collect, out, mtime, err);

	if (!t)
		return -1;
	if (tar_add_data(t, name, 0644, text, len, err) < 0) {
		tar_cancel(t);
		return -1;
	}
	if (tar_finish(t, err) < 0)
		return -1;
	out->len = TAR_BLOCK + (len + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK; /* no end marks */
	return 0;
}

struct output {
	int fd;
	struct digest_ctx *digest;
};

static int put(struct output *o, const char *data, size_t len, struct err *err)
{
	digest_update(o->digest, data, len);
	return fs_write_all(o->fd, data, len) < 0 ? err_set(err, "write: %s", strerror(errno)) : 0;
}

/* Bytes from..to of the old bundle; to -1: up to its end. */
static int put_range(struct output *o, int in, int64_t from, int64_t to, struct err *err)
{
	auto_free char *buf = xmalloc(1 << 18);

	while (to < 0 || from < to) {
		size_t want = to < 0 || to - from > 1 << 18 ? 1 << 18 : (size_t)(to - from);
		ssize_t n = pread(in, buf, want, from);

		if (n < 0)
			return err_set(err, "read: %s", strerror(errno));
		if (n == 0)
			return to < 0 ? 0 : err_set(err, "the bundle has become shorter");
		if (put(o, buf, (size_t)n, err) < 0)
			return -1;
		from += n;
	}
	return 0;
}

/* Signatures stand behind index.json.sha256, by the names of their keys. */
static int write_members(const struct contents *c, int in, const char *name,
                         const struct strbuf *member, struct output *o, struct err *err)
{
	size_t before = 0, after;

	while (before < c->n && (strncmp(c->v[before].name, "index.json.", 11) != 0 ||
	                         strcmp(c->v[before].name, "index.json.sha256") == 0 ||
	                         strcmp(c->v[before].name, name) < 0)) {
		if (strncmp(c->v[before].name, "blobs/", 6) == 0)
			break;
		before++;
	}
	if (before == c->n)
		return err_set(err, "no blobs in it");
	after = before + (strcmp(c->v[before].name, name) == 0);
	if (put_range(o, in, 0, c->v[before].at, err) < 0 ||
	    put(o, member->buf, member->len, err) < 0)
		return -1;
	return put_range(o, in, c->v[after].at, -1, err);
}

static int replace_bundle(const char *path, const struct contents *c, const char *name,
                          const struct strbuf *member, struct err *err)
{
	auto_free char *temp = fs_temp_beside(path);
	auto_close int in = open(path, O_RDONLY | O_CLOEXEC), fd = -1;
	struct output o;
	struct digest digest;
	int rc;

	if (in < 0)
		return fs_fail(err, "open", path);
	fs_remove_temporaries(path); /* of a run that was killed */
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return fs_fail(err, "create", temp);
	o = (struct output){.fd = fd, .digest = digest_new()};
	rc = write_members(c, in, name, member, &o, err);
	digest_final(o.digest, &digest);
	if (rc < 0) {
		unlink(temp);
		return err_wrap(err, "%s", path);
	}
	return bundle_replace(temp, fd, path, err) < 0 ? -1 : bundle_write_sum(path, &digest, err);
}

static int add_signature(const char *path, const struct contents *c, const char *text,
                         struct err *err)
{
	char id[MINISIG_ID_LEN + 1];
	auto_free char *name = NULL;
	auto_strbuf member = {0};

	if (strlen(text) > SIGNATURE_MAX || !minisig_id(text, id))
		return err_set(err,
		               "--signer: what it printed is no signature of minisign's format");
	name = xasprintf("index.json.%s.minisig", id);
	if (make_member(name, text, c->mtime, &member, err) < 0 ||
	    replace_bundle(path, c, name, &member, err) < 0)
		return -1;
	printf("%s: signed with key %s\n", path, id);
	return 0;
}

int sign_bundle(const char *path, const struct sign_by *by, struct err *err)
{
	struct contents c = {0};
	auto_free char *text = NULL;
	int rc = read_contents(path, &c, err);

	if (rc == 0) {
		text = by->key ? sign_with_key(by->key, &c, err)
		               : sign_with_command(by->signer, &c, err);
		rc = text ? add_signature(path, &c, text, err) : -1;
	}
	contents_release(&c);
	return rc;
}
