// SPDX-License-Identifier: Apache-2.0
#include "tarball.h"

#include "err.h"
#include "fs.h"
#include "mem.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tar {
	struct archive *a;
	struct archive_entry *entry;
	archive_sink sink;
	void *ctx;
	int64_t mtime;
	struct err sink_err;
};

static la_ssize_t on_write(struct archive *a, void *ctx, const void *data, size_t len)
{
	struct tar *t = ctx;

	if (t->sink(t->ctx, data, len, &t->sink_err) < 0) {
		archive_set_error(a, EIO, "%s", t->sink_err.msg);
		return -1;
	}
	return (la_ssize_t)len;
}

static int failed(struct tar *t, const char *path, struct err *err)
{
	return err_set(err, "tar: %s: %s", path, archive_error_string(t->a));
}

struct tar *tar_open(archive_sink sink, void *ctx, int64_t mtime, struct err *err)
{
	struct tar *t = xcalloc(1, sizeof(*t));

	*t = (struct tar){.a = archive_write_new(),
	                  .entry = archive_entry_new(),
	                  .sink = sink,
	                  .ctx = ctx,
	                  .mtime = mtime};
	archive_write_set_format_pax_restricted(t->a);
	archive_write_set_bytes_per_block(t->a, 1 << 20);
	archive_write_set_bytes_in_last_block(t->a, 1);
	if (archive_write_open(t->a, t, NULL, on_write, NULL) != ARCHIVE_OK) {
		failed(t, "open", err);
		tar_cancel(t);
		return NULL;
	}
	return t;
}

void tar_cancel(struct tar *t)
{
	if (!t)
		return;
	archive_write_fail(t->a); /* else free would write the end marks */
	archive_write_free(t->a);
	archive_entry_free(t->entry);
	mem_auto_free(&t);
}

int tar_finish(struct tar *t, struct err *err)
{
	int rc = archive_write_close(t->a) == ARCHIVE_OK ? 0 : failed(t, "close", err);

	tar_cancel(t);
	return rc;
}

static int add(struct tar *t, const char *path, mode_t type, mode_t mode, int64_t size,
               const char *target, struct err *err)
{
	archive_entry_clear(t->entry);
	archive_entry_set_pathname(t->entry, path);
	archive_entry_set_filetype(t->entry, type);
	archive_entry_set_perm(t->entry, mode);
	archive_entry_set_size(t->entry, size);
	archive_entry_set_mtime(t->entry, t->mtime, 0);
	archive_entry_set_uid(t->entry, 0);
	archive_entry_set_gid(t->entry, 0);
	if (target)
		archive_entry_set_symlink(t->entry, target);
	if (archive_write_header(t->a, t->entry) != ARCHIVE_OK)
		return failed(t, path, err);
	return 0;
}

int tar_add_dir(struct tar *t, const char *path, mode_t mode, struct err *err)
{
	return add(t, path, AE_IFDIR, mode, 0, NULL, err);
}

int tar_add_link(struct tar *t, const char *path, const char *target, struct err *err)
{
	return add(t, path, AE_IFLNK, 0777, 0, target, err);
}

static int add_bytes(struct tar *t, const char *path, const void *data, size_t len, struct err *err)
{
	if (archive_write_data(t->a, data, len) != (la_ssize_t)len)
		return failed(t, path, err);
	return 0;
}

int tar_add_data(struct tar *t, const char *path, mode_t mode, const void *data, size_t len,
                 struct err *err)
{
	if (add(t, path, AE_IFREG, mode, (int64_t)len, NULL, err) < 0)
		return -1;
	return add_bytes(t, path, data, len, err);
}

int tar_add_file(struct tar *t, const char *path, mode_t mode, const char *from, struct err *err)
{
	auto_close int fd = open(from, O_RDONLY | O_CLOEXEC);
	auto_free char *buf = NULL;
	struct stat st;
	int64_t left;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, "%s: %s", from, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, "%s: not a regular file", from);
	if (add(t, path, AE_IFREG, mode, st.st_size, NULL, err) < 0)
		return -1;
	buf = xmalloc(1 << 20);
	for (left = st.st_size; left > 0;) {
		ssize_t n = read(fd, buf, 1 << 20);

		if (n <= 0 || n > left)
			return err_set(err, "%s: changed while it was read", from);
		if (add_bytes(t, path, buf, (size_t)n, err) < 0)
			return -1;
		left -= n;
	}
	return 0;
}
