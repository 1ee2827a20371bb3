// SPDX-License-Identifier: Apache-2.0
/* The node's blobs, by digest: DIR_BLOBS/<hex>. A name is there only when its bytes were verified.
 */
#include "store.h"

#include "digest.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK        (1u << 18)
#define STALL_MS     60000
#define REPORT_EVERY (4u << 20) /* bytes between two progress messages */

char *store_path(const struct digest *d)
{
	return xasprintf(DIR_BLOBS "/%s", digest_hex(d));
}

bool store_has(const struct digest *d)
{
	auto_free char *path = store_path(d);
	struct digest got;
	struct err err = {0};

	/* read again each time: disks err, and a run is repeated because something went wrong */
	return fs_exists(path) && digest_file(path, &got, NULL, &err) == 0 && digest_eq(&got, d);
}

int store_read(const struct digest *d, size_t max, struct strbuf *out, struct err *err)
{
	auto_free char *path = store_path(d);
	struct digest got;
	size_t before = out->len;

	if (fs_read(path, max, out, err) < 0)
		return -1;
	digest_data(out->buf + before, out->len - before, &got);
	return digest_eq(&got, d) ? 0 : err_set(err, "%s: damaged", path);
}

void store_remove_leftovers(void)
{
	auto_strlist names = {0};
	struct err ignored = {0};

	if (!fs_exists(DIR_BLOBS) || fs_list(DIR_BLOBS, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf(DIR_BLOBS "/%s", names.v[i]);
		const char *end = strrchr(names.v[i], '.');

		if (end && strcmp(end, ".tmp") == 0)
			unlink(path);
	}
}

/* The room for temporary files (one for each blob) is only used by who holds the lock. */
static int prepare_store(struct node *n, struct err *err)
{
	bool locked = n->lock >= 0;

	if (node_lock(n, err) < 0)
		return -1;
	if (!locked)
		store_remove_leftovers();
	return fs_mkdir_p(DIR_BLOBS, 0755, err);
}

int op_have(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	json_t *missing = json_array(), *v;
	size_t i;

	(void)n;
	json_object_set_new(result, "missing", missing);
	json_array_foreach (json_object_get(args, "blobs"), i, v) {
		struct digest d;

		if (!json_is_string(v) || !digest_parse(json_string_value(v), &d))
			return err_set(err, "have: not a digest");
		if (node_safe_point("the copy", err) < 0)
			return -1;
		if (!store_has(&d))
			json_array_append(missing, v);
	}
	return 0;
}

/* Takes up to len of the raw bytes that follow a request: first what was read with its line. */
static ssize_t take(struct node *n, char *buf, size_t len, struct err *err)
{
	if (n->link.in.len) {
		size_t have = n->link.in.len < len ? n->link.in.len : len;

		memcpy(buf, n->link.in.buf, have);
		strbuf_consume(&n->link.in, have);
		return (ssize_t)have;
	}
	return n->link.ops->read(n->link.ctx, buf, len, now_ms() + STALL_MS, err);
}

/* An arriving blob. After a local failure the rest is read and dropped, so that the conversation
 * stays in step. */
struct arrival {
	int fd; /* -1: failed, err holds why */
	struct digest_ctx *ctx;
	struct err err;
};

static void store_chunk(struct arrival *a, const char *path, const char *data, size_t len)
{
	if (a->fd < 0)
		return;
	digest_update(a->ctx, data, len);
	if (fs_write_all(a->fd, data, len) == 0)
		return;
	fs_fail(&a->err, "write", path);
	close(a->fd);
	a->fd = -1;
}

static int receive(struct node *n, struct arrival *a, const char *path, uint64_t size,
                   struct err *err)
{
	auto_free char *buf = xmalloc(CHUNK);
	uint64_t got = 0, reported = 0;

	while (got < size) {
		size_t want = size - got < CHUNK ? (size_t)(size - got) : CHUNK;
		ssize_t r = take(n, buf, want, err);

		if (r < 0)
			return -1;
		if (r == 0)
			return err_set(err, "the controller went away in the middle of a file");
		store_chunk(a, path, buf, (size_t)r);
		got += (uint64_t)r;
		if (got - reported >= REPORT_EVERY) {
			node_progress(n, "copy", got, size);
			reported = got;
		}
	}
	return 0;
}

/* Content and name become durable only when the digest is right. */
static int keep_blob(struct arrival *a, const struct digest *want, const char *tmp,
                     const char *path, struct err *err)
{
	struct digest got;

	if (a->fd < 0) {
		*err = a->err;
		return -1;
	}
	digest_final(a->ctx, &got);
	a->ctx = NULL;
	if (!digest_eq(&got, want))
		return err_set(err, "%s: damaged on its way, the digest does not match", want->str);
	if (fsync(a->fd) < 0)
		return fs_fail(err, "write", path);
	return rename(tmp, path) == 0 ? 0 : fs_fail(err, "rename to", path);
}

int op_put(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	json_int_t size = json_integer_value(json_object_get(args, "size"));
	const char *s = arg_string(args, "digest", err);
	auto_free char *tmp = NULL, *path = NULL;
	struct arrival a = {.fd = -1};
	struct digest d;
	int rc;

	(void)result;
	if (!s || size < 0 || !digest_parse(s, &d))
		return err_set(err, "put: bad digest or size");
	path = store_path(&d);
	tmp = xasprintf("%s.tmp", path); /* one installer at a time: no clash */
	a.ctx = digest_new();
	if (prepare_store(n, &a.err) == 0) {
		a.fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (a.fd < 0)
			fs_fail(&a.err, "create", tmp);
	}
	rc = receive(n, &a, path, (uint64_t)size, err);
	if (rc == 0)
		rc = keep_blob(&a, &d, tmp, path, err);
	if (rc < 0)
		unlink(tmp);
	if (a.fd >= 0)
		close(a.fd);
	digest_cancel(a.ctx);
	return rc;
}
