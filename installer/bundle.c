// SPDX-License-Identifier: Apache-2.0
#include "bundle.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "tar.h"
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BAD(err, ...)  err_set_code((err), EXIT_BAD_BUNDLE, __VA_ARGS__)
#define BLOB_PREFIX    "blobs/sha256/"
#define READ_SIZE      (1u << 18)
#define MEMBERS_MAX    (OCI_BLOBS_MAX + 16)
#define SIGNATURES_MAX 64
/* How much larger a zstd -19 layer of Go programs is when unpacked (notes: 172.7 MB from 33.6). */
#define UNPACK_FACTOR 5.5
#define SPARE         1.2

/* NULL when the file may be a bundle, else why it is none; the caller's. */
static char *why_no_file(const char *path)
{
	char target[256];
	struct stat st;
	ssize_t n;

	if (stat(path, &st) == 0) {
		if (S_ISREG(st.st_mode))
			return NULL;
		return xstrdup(S_ISDIR(st.st_mode) ? "is a directory" : "is no regular file");
	}
	if (errno != ENOENT)
		return xstrdup(strerror(errno));
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return xstrdup("is gone again");
	target[n] = '\0';
	return xasprintf("is a link to %s, which is not there", target);
}

int bundle_find(const char *dir, char **path, struct err *err)
{
	auto_strlist names = {0};
	auto_strbuf found = {0}, others = {0};
	size_t n = 0;

	if (fs_list(dir, &names, err) < 0)
		return -1;
	*path = NULL;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *file = xasprintf("%s/%s", dir, names.v[i]), *why = NULL;

		if (fnmatch("kubecask-*-linux-*.tar", names.v[i], 0) != 0)
			continue;
		why = why_no_file(file);
		if (why) {
			strbuf_addf(&others, "; %s %s", names.v[i], why);
			continue;
		}
		strbuf_addf(&found, "%s%s", n++ ? ", " : "", names.v[i]);
		free(*path);
		*path = steal(&file);
	}
	if (n == 1)
		return 0;
	free(steal(path));
	if (n == 0)
		return err_set_code(
		    err, EXIT_USAGE,
		    "no bundle (kubecask-*-linux-*.tar) in %s: put one there or name it "
		    "with --bundle%s",
		    dir, strbuf_str(&others));
	return err_set_code(err, EXIT_USAGE, "%zu bundles in %s (%s): name one with --bundle", n,
	                    dir, strbuf_str(&found));
}

static int read_at(const struct bundle *b, uint64_t offset, void *buf, size_t len, struct err *err)
{
	char *p = buf;

	while (len) {
		ssize_t n = pread(b->fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return BAD(err, "read: %s", strerror(errno));
		if (n == 0)
			return BAD(err, "the file is truncated");
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_text(const struct bundle *b, const struct tar_entry *e, uint64_t offset, size_t max,
                     struct strbuf *out, struct err *err)
{
	if (out->len)
		return BAD(err, "%s: twice in the bundle", e->name);
	if (e->size == 0 || e->size > max)
		return BAD(err, "%s: %llu bytes", e->name, (unsigned long long)e->size);
	strbuf_grow(out, (size_t)e->size);
	if (read_at(b, offset, out->buf, (size_t)e->size, err) < 0)
		return err_wrap(err, "%s", e->name);
	out->len = (size_t)e->size;
	out->buf[out->len] = '\0';
	return 0;
}

static int by_digest(const void *a, const void *b)
{
	return strcmp(((const struct blob *)a)->digest.str, ((const struct blob *)b)->digest.str);
}

const struct blob *bundle_blob(const struct bundle *b, const struct digest *d)
{
	struct blob key = {.digest = *d};

	return b->n_blobs ? bsearch(&key, b->blobs, b->n_blobs, sizeof(*b->blobs), by_digest)
	                  : NULL;
}

static int add_blob(struct bundle *b, const struct tar_entry *e, uint64_t offset, struct err *err)
{
	struct blob blob = {.offset = offset, .size = e->size};
	auto_free char *s = xasprintf("sha256:%s", e->name + strlen(BLOB_PREFIX));

	if (!digest_parse(s, &blob.digest))
		return BAD(err, "%s: unknown member", e->name);
	if (b->n_blobs >= MEMBERS_MAX)
		return BAD(err, "more than %d members", MEMBERS_MAX);
	if ((b->n_blobs & (b->n_blobs - 1)) == 0)
		b->blobs = xreallocarray(b->blobs, b->n_blobs ? b->n_blobs * 2 : 1, sizeof(blob));
	b->blobs[b->n_blobs++] = blob;
	return 0;
}

/* index.json.ID.minisig; several keys may have signed. */
static bool is_signature(const char *name)
{
	return fnmatch("index.json.*.minisig", name, 0) == 0;
}

static int add_signature(struct bundle *b, const struct tar_entry *e, uint64_t offset,
                         struct err *err)
{
	auto_strbuf text = {0};

	if (b->signatures.n >= SIGNATURES_MAX)
		return BAD(err, "more than %d signatures", SIGNATURES_MAX);
	if (read_text(b, e, offset, 4096, &text, err) < 0)
		return -1;
	strlist_add(&b->signatures, strbuf_str(&text));
	return 0;
}

/* Members of the bundle that are not blobs: oci-layout, index.json, index.json.sha256. */
struct other_members {
	struct strbuf layout, sum;
};

static int add_member(struct bundle *b, struct other_members *h, const struct tar_entry *e,
                      uint64_t offset, struct err *err)
{
	if (e->kind == TAR_DIR) {
		if (strcmp(e->name, "blobs/") == 0 || strcmp(e->name, BLOB_PREFIX) == 0)
			return 0;
		return BAD(err, "%s: unknown member", e->name);
	}
	if (strcmp(e->name, "oci-layout") == 0)
		return read_text(b, e, offset, 4096, &h->layout, err);
	if (strcmp(e->name, "index.json") == 0)
		return read_text(b, e, offset, OCI_JSON_MAX, &b->index_json, err);
	if (strcmp(e->name, "index.json.sha256") == 0)
		return read_text(b, e, offset, 4096, &h->sum, err);
	if (is_signature(e->name))
		return add_signature(b, e, offset, err);
	if (strncmp(e->name, BLOB_PREFIX, strlen(BLOB_PREFIX)) == 0)
		return add_blob(b, e, offset, err);
	return BAD(err, "%s: unknown member", e->name);
}

/* Behind the last member: at least two blocks of zeros, and nothing else up to the end. */
static int check_end(const struct bundle *b, uint64_t pos, uint64_t size, struct err *err)
{
	unsigned char block[TAR_BLOCK];

	if (size % TAR_BLOCK || size < pos + 2 * TAR_BLOCK)
		return BAD(err, "the file is truncated");
	for (; pos < size; pos += TAR_BLOCK) {
		if (read_at(b, pos, block, TAR_BLOCK, err) < 0)
			return -1;
		if (!tar_is_zero(block, TAR_BLOCK))
			return BAD(err, "there are bytes behind its end");
	}
	return 0;
}

static int check_padding(const struct bundle *b, const struct tar_entry *e, uint64_t end,
                         struct err *err)
{
	unsigned char pad[TAR_BLOCK];
	size_t n = tar_padding(e->size);

	if (read_at(b, end, pad, n, err) < 0)
		return err_wrap(err, "%s", e->name);
	return tar_is_zero(pad, n) ? 0 : BAD(err, "%s: damaged behind its end", e->name);
}

static int index_members(struct bundle *b, struct other_members *h, struct err *err)
{
	struct stat st;
	uint64_t pos = 0, size;

	if (fstat(b->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return BAD(err, S_ISDIR(st.st_mode) ? "it is a directory" : "not a regular file");
	size = (uint64_t)st.st_size;
	for (;;) {
		unsigned char block[TAR_BLOCK];
		struct tar_entry e;

		if (read_at(b, pos, block, TAR_BLOCK, err) < 0 || tar_parse(block, &e, err) < 0)
			return -1;
		if (e.kind == TAR_END)
			break;
		pos += TAR_BLOCK;
		if (e.size > size - pos || size - pos - e.size < tar_padding(e.size))
			return BAD(err, "%s: the file is truncated", e.name);
		if (add_member(b, h, &e, pos, err) < 0 ||
		    check_padding(b, &e, pos + e.size, err) < 0)
			return -1;
		pos += e.size + tar_padding(e.size);
	}
	qsort(b->blobs, b->n_blobs, sizeof(*b->blobs), by_digest);
	for (size_t i = 1; i < b->n_blobs; i++)
		if (digest_eq(&b->blobs[i - 1].digest, &b->blobs[i].digest))
			return BAD(err, BLOB_PREFIX "%s: twice in the bundle",
			           digest_hex(&b->blobs[i].digest));
	return check_end(b, pos, size, err);
}

static int check_other_members(struct bundle *b, const struct other_members *h, struct err *err)
{
	auto_free char *want = NULL;

	if (!h->layout.len || strcmp(h->layout.buf, OCI_LAYOUT_JSON) != 0)
		return BAD(err, "oci-layout: %s",
		           h->layout.len ? "not as it should be" : "missing");
	if (!b->index_json.len)
		return BAD(err, "index.json: missing");
	if (!h->sum.len)
		return BAD(err, "index.json.sha256: missing");
	digest_data(b->index_json.buf, b->index_json.len, &b->index_digest);
	want = xasprintf("%s\n", digest_hex(&b->index_digest));
	if (h->sum.len != strlen(want) || strcmp(h->sum.buf, want) != 0)
		return BAD(err, "index.json: does not match index.json.sha256");
	return 0;
}

static int hash_range(const struct bundle *b, uint64_t offset, uint64_t size, struct digest *out,
                      struct err *err)
{
	auto_free char *buf = xmalloc(READ_SIZE);
	struct digest_ctx *ctx = digest_new();

	while (size) {
		size_t n = size < READ_SIZE ? (size_t)size : READ_SIZE;

		if (read_at(b, offset, buf, n, err) < 0) {
			digest_cancel(ctx);
			return -1;
		}
		digest_update(ctx, buf, n);
		offset += n;
		size -= n;
	}
	digest_final(ctx, out);
	return 0;
}

/* The blob behind a descriptor: there, of that size, with that digest. */
static int verify_blob(struct bundle *b, const struct oci_descriptor *d, struct err *err)
{
	struct blob *blob = (struct blob *)(uintptr_t)bundle_blob(b, &d->digest);
	struct digest got;

	if (!blob)
		return BAD(err, BLOB_PREFIX "%s: missing", digest_hex(&d->digest));
	if (blob->size != d->size)
		return BAD(err, BLOB_PREFIX "%s: %llu bytes instead of %llu",
		           digest_hex(&d->digest), (unsigned long long)blob->size,
		           (unsigned long long)d->size);
	if (blob->verified)
		return 0;
	if (hash_range(b, blob->offset, blob->size, &got, err) < 0)
		return -1;
	if (!digest_eq(&got, &d->digest))
		return BAD(err, BLOB_PREFIX "%s: damaged, its digest does not match",
		           digest_hex(&d->digest));
	blob->verified = true;
	return 0;
}

/* What is parsed are the bytes whose digest matched: the file may change while it is read. */
static int load_manifest(const struct bundle *b, const struct oci_descriptor *d,
                         struct oci_manifest *m, struct err *err)
{
	const struct blob *blob = bundle_blob(b, &d->digest);
	auto_strbuf json = {0};
	struct digest got;

	if (!blob || blob->size > OCI_JSON_MAX)
		return BAD(err, BLOB_PREFIX "%s: too large for a manifest", digest_hex(&d->digest));
	strbuf_grow(&json, (size_t)blob->size);
	if (read_at(b, blob->offset, json.buf, (size_t)blob->size, err) < 0)
		return -1;
	digest_data(json.buf, (size_t)blob->size, &got);
	if (!digest_eq(&got, &d->digest))
		return BAD(err, BLOB_PREFIX "%s: damaged, its digest does not match",
		           digest_hex(&d->digest));
	if (oci_manifest_parse(json.buf, (size_t)blob->size, m, err) < 0)
		return err_wrap(err, BLOB_PREFIX "%s", digest_hex(&d->digest));
	return 0;
}

static int verify_manifest(struct bundle *b, const struct oci_descriptor *d, struct oci_manifest *m,
                           struct err *err)
{
	int rc;

	if (strcmp(d->media_type, OCI_TYPE_MANIFEST) != 0)
		return BAD(err, "index.json: %s: unknown media type %s", d->digest.str,
		           d->media_type);
	if (verify_blob(b, d, err) < 0 || load_manifest(b, d, m, err) < 0)
		return -1;
	rc = verify_blob(b, &m->config, err);
	for (size_t i = 0; rc == 0 && i < m->n_layers; i++)
		rc = verify_blob(b, &m->layers[i], err);
	return rc;
}

static bool is_node(const struct oci_descriptor *d)
{
	return d->artifact_type && strcmp(d->artifact_type, OCI_TYPE_NODE) == 0;
}

static int pick_node(struct bundle *b, const char *arch, struct err *err)
{
	const char *other = NULL, *format;

	format = oci_annotation(b->index.ann, b->index.n_ann, OCI_ANN_FORMAT);
	if (!format || strcmp(format, "1") != 0)
		return BAD(err, "index.json: bundle format \"%s\" is not known to this version",
		           format ? format : "");
	for (size_t i = 0; i < b->index.n; i++) {
		const struct oci_descriptor *d = &b->index.manifests[i];

		if (!is_node(d))
			continue;
		if (d->os && d->arch && strcmp(d->os, "linux") == 0 && strcmp(d->arch, arch) == 0)
			b->node = d;
		else
			other = d->arch ? d->arch : "unknown";
	}
	if (!b->node)
		return BAD(err, "made for %s, but this machine is %s",
		           other ? other : "no architecture", arch);
	b->k8s_version = oci_annotation(b->node->ann, b->node->n_ann, OCI_ANN_K8S_VERSION);
	/* it becomes a directory's name on the nodes */
	if (!b->k8s_version || b->k8s_version[0] != 'v' || strchr(b->k8s_version, '/') ||
	    strlen(b->k8s_version) > 64)
		return BAD(err, "index.json: the node artifact has no Kubernetes version");
	return 0;
}

static int verify_all(struct bundle *b, const char *arch, struct err *err)
{
	if (oci_index_parse(b->index_json.buf, b->index_json.len, &b->index, err) < 0)
		return -1;
	if (pick_node(b, arch, err) < 0)
		return -1;
	b->manifests = xcalloc(b->index.n, sizeof(*b->manifests));
	for (size_t i = 0; i < b->index.n; i++)
		if (verify_manifest(b, &b->index.manifests[i], &b->manifests[i], err) < 0)
			return -1;
	for (size_t i = 0; i < b->n_blobs; i++)
		if (!b->blobs[i].verified)
			return BAD(err,
			           BLOB_PREFIX "%s: unknown member, the index does not list it",
			           digest_hex(&b->blobs[i].digest));
	return 0;
}

/* PATH.sha256, as sha256sum writes it, when it is there. */
static int check_sum_file(const struct bundle *b, struct err *err)
{
	auto_free char *sum = xasprintf("%s.sha256", b->path);
	auto_strbuf text = {0};
	struct digest got;
	struct stat st;

	if (!fs_exists(sum))
		return 0;
	if (fs_read(sum, 4096, &text, err) < 0)
		return -1;
	if (fstat(b->fd, &st) < 0 || hash_range(b, 0, (uint64_t)st.st_size, &got, err) < 0)
		return -1;
	if (text.len < DIGEST_HEX_LEN || memcmp(text.buf, digest_hex(&got), DIGEST_HEX_LEN) != 0)
		return BAD(err, "does not match %s", sum);
	return 0;
}

int bundle_open(const char *path, const char *arch, const struct trust *trust, struct bundle *b,
                struct err *err)
{
	struct other_members h = {0};
	int rc;

	*b = (struct bundle){.path = xstrdup(path)};
	b->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO has no writer */
	if (b->fd < 0) {
		err_set_code(err, errno == ENOENT ? EXIT_USAGE : EXIT_FAILED, "open: %s",
		             strerror(errno));
		rc = -1;
	} else {
		rc = index_members(b, &h, err);
	}
	if (rc == 0)
		rc = check_other_members(b, &h, err);
	if (rc == 0)
		rc = trust_check(trust, &b->signatures, &b->index_json, &b->signers, err);
	if (rc == 0)
		rc = verify_all(b, arch, err);
	if (rc == 0 && trust->sbom && !bundle_document(b, OCI_TYPE_SPDX))
		rc = BAD(err, "it has no SBOM, and one is wanted (--require, or the file require "
		              "beside the keys)");
	if (rc == 0)
		rc = check_sum_file(b, err);
	strbuf_release(&h.layout);
	strbuf_release(&h.sum);
	if (rc == 0)
		return 0;
	err_wrap(err, "bundle %s", path);
	bundle_release(b);
	return -1;
}

void bundle_release(struct bundle *b)
{
	if (b->path && b->fd >= 0)
		close(b->fd);
	free(b->path);
	strbuf_release(&b->index_json);
	strlist_release(&b->signatures);
	strlist_release(&b->signers);
	for (size_t i = 0; b->manifests && i < b->index.n; i++)
		oci_manifest_release(&b->manifests[i]);
	free(b->manifests);
	oci_index_release(&b->index);
	free(b->blobs);
	*b = (struct bundle){.fd = -1};
}

int bundle_recheck(const struct bundle *b, const struct digest *d, struct err *err)
{
	const struct blob *blob = bundle_blob(b, d);
	struct digest got;

	if (!blob)
		return BAD(err, "bundle %s: " BLOB_PREFIX "%s: missing", b->path, digest_hex(d));
	if (hash_range(b, blob->offset, blob->size, &got, err) < 0)
		return err_wrap(err, "bundle %s: it has changed since it was verified", b->path);
	if (!digest_eq(&got, d))
		return BAD(err,
		           "bundle %s: it has changed since it was verified: " BLOB_PREFIX
		           "%s no longer matches its digest. Copy it anew and repeat the command",
		           b->path, digest_hex(d));
	return 0;
}

const struct oci_descriptor *bundle_document(const struct bundle *b, const char *type)
{
	for (size_t i = 0; i < b->index.n; i++) {
		const struct oci_descriptor *d = &b->index.manifests[i];

		if (d->artifact_type && strcmp(d->artifact_type, type) == 0)
			return d;
	}
	return NULL;
}

json_t *bundle_components(const struct bundle *b)
{
	const size_t prefix = strlen(OCI_ANN_COMPONENT);
	json_t *all = json_object();

	for (size_t i = 0; i < b->node->n_ann; i++)
		if (strncmp(b->node->ann[i].key, OCI_ANN_COMPONENT, prefix) == 0)
			json_object_set_new(all, b->node->ann[i].key + prefix,
			                    json_string(b->node->ann[i].value));
	return all;
}

bool bundle_wants(const struct oci_descriptor *image, bool control_plane)
{
	const char *role = oci_annotation(image->ann, image->n_ann, OCI_ANN_ROLE);

	if (!oci_annotation(image->ann, image->n_ann, OCI_ANN_IMAGE_NAME))
		return false;
	return control_plane || !role || strcmp(role, OCI_ROLE_CP) != 0;
}

static void need(const struct bundle *b, const struct digest *d, const struct blob **list,
                 size_t *n)
{
	const struct blob *blob = bundle_blob(b, d);

	for (size_t i = 0; i < *n; i++)
		if (list[i] == blob)
			return;
	list[(*n)++] = blob;
}

/* The manifest at place i of the index, with what it names. */
static void need_manifest(const struct bundle *b, size_t i, const struct blob **list, size_t *n)
{
	const struct oci_manifest *m = &b->manifests[i];

	need(b, &b->index.manifests[i].digest, list, n);
	need(b, &m->config.digest, list, n);
	for (size_t l = 0; l < m->n_layers; l++)
		need(b, &m->layers[l].digest, list, n);
}

size_t bundle_needs(const struct bundle *b, bool control_plane, const struct blob ***out)
{
	size_t n = 0;

	*out = xcalloc(b->n_blobs + 1, sizeof(**out));
	need_manifest(b, (size_t)(b->node - b->index.manifests), *out, &n);
	for (size_t i = 0; i < b->index.n; i++)
		if (bundle_wants(&b->index.manifests[i], control_plane))
			need_manifest(b, i, *out, &n);
	return n;
}

void bundle_space(const struct bundle *b, bool control_plane, uint64_t *opt, uint64_t *var_lib)
{
	const struct blob **list = NULL;
	size_t n = bundle_needs(b, control_plane, &list);
	double all = 0;

	for (size_t i = 0; i < n; i++)
		all += (double)list[i]->size;
	free(list);
	*opt = (uint64_t)(all * (1 + UNPACK_FACTOR) * SPARE);
	*var_lib = (uint64_t)(all * (1 + UNPACK_FACTOR) * SPARE);
}
