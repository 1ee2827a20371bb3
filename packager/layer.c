// SPDX-License-Identifier: Apache-2.0
#include "layer.h"

#include "conf.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"
#include "tarball.h"
#include "tree.h"
#include "zst.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void add(struct layer *l, enum layer_kind kind, const char *path, mode_t mode,
                const char *from, const char *id)
{
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = (struct layer_entry){
	    .kind = kind,
	    .mode = mode,
	    .path = xstrdup(path),
	    .from = from ? xstrdup(from) : NULL,
	    .id = id ? xstrdup(id) : NULL,
	};
}

void layer_dir(struct layer *l, const char *path, mode_t mode)
{
	add(l, LAYER_DIR, path, mode, NULL, NULL);
}

void layer_link(struct layer *l, const char *path, const char *target)
{
	add(l, LAYER_LINK, path, 0777, target, NULL);
}

void layer_data(struct layer *l, const char *path, mode_t mode, const char *text)
{
	add(l, LAYER_DATA, path, mode, text, NULL);
}

void layer_file(struct layer *l, const char *path, mode_t mode, const char *from, const char *id)
{
	add(l, LAYER_FILE, path, mode, from, id);
}

int layer_tree(struct layer *l, const char *dir, struct err *err)
{
	auto_strlist files = {0};

	if (tree_list(dir, &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.n; i++) {
		auto_free char *full = xasprintf("%s/%s", dir, files.v[i]);
		char target[256];
		struct stat st;
		ssize_t n;

		if (lstat(full, &st) < 0)
			return err_set(err, "%s: %s", full, strerror(errno));
		if (!S_ISLNK(st.st_mode)) {
			layer_file(l, files.v[i], st.st_mode & 0111 ? 0755 : 0644, full, NULL);
			continue;
		}
		n = readlink(full, target, sizeof(target) - 1);
		if (n < 0 || (size_t)n == sizeof(target) - 1)
			return err_set(err, "%s: unreadable link", full);
		target[n] = '\0';
		layer_link(l, files.v[i], target);
	}
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct layer_entry *)a)->path, ((const struct layer_entry *)b)->path);
}

void layer_close(struct layer *l)
{
	auto_strlist dirs = {0};

	for (size_t i = 0; i < l->n; i++)
		for (char *p = strchr(l->v[i].path, '/'); p; p = strchr(p + 1, '/')) {
			auto_free char *dir = xstrndup(l->v[i].path, (size_t)(p - l->v[i].path));

			if (!strlist_has(&dirs, dir))
				strlist_add(&dirs, dir);
		}
	for (size_t i = 0; i < l->n; i++)
		for (size_t d = 0; d < dirs.n; d++)
			if (!strcmp(l->v[i].path, dirs.v[d]))
				dirs.v[d][0] = '\0'; /* has an entry of its own */
	for (size_t d = 0; d < dirs.n; d++)
		if (dirs.v[d][0])
			layer_dir(l, dirs.v[d], 0755);
	qsort(l->v, l->n, sizeof(*l->v), by_path);
}

void layer_release(struct layer *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].path);
		free(l->v[i].from);
		free(l->v[i].id);
	}
	free(l->v);
	*l = (struct layer){0};
}

int layer_inputs(const struct layer *l, struct strbuf *out, struct err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct layer_entry *e = &l->v[i];
		struct digest d = {{0}};

		if (e->kind == LAYER_FILE && !e->id && digest_file(e->from, &d, NULL, err) < 0)
			return -1;
		if (e->kind == LAYER_DATA)
			digest_data(e->from, strlen(e->from), &d);
		strbuf_addf(out, "%d %o %s %s%s\n", e->kind, e->mode, e->path, d.str,
		            e->kind == LAYER_LINK ? e->from
		            : e->id               ? e->id
		                                  : "");
	}
	return 0;
}

/* tar bytes on their way into the compressor. */
struct pipeline {
	struct digest_ctx *diff;
	struct zst *zst;
	uint64_t bytes;
};

static int pass(void *ctx, const void *data, size_t len, struct err *err)
{
	struct pipeline *p = ctx;

	digest_update(p->diff, data, len);
	p->bytes += len;
	return zst_write(p->zst, data, len, err);
}

static int add_entry(struct tar *t, const struct layer_entry *e, struct err *err)
{
	switch (e->kind) {
	case LAYER_DIR:
		return tar_add_dir(t, e->path, e->mode, err);
	case LAYER_LINK:
		return tar_add_link(t, e->path, e->from, err);
	case LAYER_DATA:
		return tar_add_data(t, e->path, e->mode, e->from, strlen(e->from), err);
	default:
		return tar_add_file(t, e->path, e->mode, e->from, err);
	}
}

static int write_tar(const struct layer *l, struct pipeline *p, int64_t mtime, struct err *err)
{
	struct tar *t = tar_open(pass, p, mtime, err);

	if (!t)
		return -1;
	for (size_t i = 0; i < l->n; i++)
		if (add_entry(t, &l->v[i], err) < 0) {
			tar_cancel(t);
			return -1;
		}
	return tar_finish(t, err);
}

static int compress(const struct layer *l, int fd, int level, int64_t mtime, struct digest *diff,
                    uint64_t *raw, struct err *err)
{
	struct pipeline p = {.zst = zst_open(fd, level, err)};

	if (!p.zst)
		return -1;
	p.diff = digest_new();
	if (write_tar(l, &p, mtime, err) < 0) {
		zst_cancel(p.zst);
		digest_cancel(p.diff);
		return -1;
	}
	digest_final(p.diff, diff);
	*raw = p.bytes;
	return zst_finish(p.zst, err);
}

static void set_number(struct conf *record, const char *key, uint64_t value)
{
	auto_free char *text = xasprintf("%llu", (unsigned long long)value);

	conf_set(record, key, text);
}

int layer_write(const struct layer *l, const char *blobs, int level, int64_t mtime,
                struct conf *record, struct err *err)
{
	auto_free char *temp = xasprintf("%s/.tmp-%d", blobs, (int)getpid()), *file = NULL;
	auto_close int fd = -1;
	struct digest diff, digest;
	uint64_t raw, size;

	if (fs_mkdir_p(blobs, 0755, err) < 0)
		return -1;
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(err, "%s: %s", temp, strerror(errno));
	if (compress(l, fd, level, mtime, &diff, &raw, err) < 0 ||
	    digest_file(temp, &digest, &size, err) < 0) {
		unlink(temp);
		return -1;
	}
	file = xasprintf("%s/%s", blobs, digest_hex(&digest));
	if (rename(temp, file) < 0)
		return err_set(err, "%s: %s", file, strerror(errno));
	conf_set(record, "file", file);
	set_number(record, "size", size);
	conf_set(record, "digest", digest.str);
	conf_set(record, "diff-id", diff.str);
	set_number(record, "raw-size", raw);
	return 0;
}
