// SPDX-License-Identifier: Apache-2.0
#include "tarball.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEB_DATA_MAX (64u << 20) /* bytes of a package's compressed data, at most */

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

static void close_reader(struct archive **a)
{
	archive_read_free(*a);
}
#define auto_reader __attribute__((cleanup(close_reader))) struct archive

/* Reads the member data.tar.* of an ar archive whole. */
static int read_data_member(const char *deb, struct strbuf *out, struct err *err)
{
	auto_reader *a = archive_read_new();
	struct archive_entry *e;
	int rc;

	archive_read_support_format_ar(a);
	if (archive_read_open_filename(a, deb, 1 << 16) != ARCHIVE_OK)
		return err_set(err, "%s: %s", deb, archive_error_string(a));
	while ((rc = archive_read_next_header(a, &e)) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(e);
		la_ssize_t n;

		if (!name || strncmp(name, "data.tar", 8) != 0)
			continue;
		do {
			strbuf_grow(out, 1 << 16);
			n = archive_read_data(a, out->buf + out->len, 1 << 16);
			if (n > 0)
				out->len += (size_t)n;
		} while (n > 0 && out->len < DEB_DATA_MAX);
		return n ? err_set(err, "%s: data is damaged or too large", deb) : 0;
	}
	return err_set(err, "%s: %s", deb,
	               rc == ARCHIVE_EOF ? "no Debian package" : archive_error_string(a));
}

/* "./usr/sbin/" -> "usr/sbin"; NULL for what would leave the directory. */
static char *clean_path(const char *name)
{
	char *path;
	size_t len;

	while (name[0] == '.' && name[1] == '/')
		name += 2;
	if (name[0] == '/' || strstr(name, "..") || !name[0])
		return NULL;
	path = xstrdup(name);
	for (len = strlen(path); len && path[len - 1] == '/';)
		path[--len] = '\0';
	return path;
}

static int unpack_file(struct archive *a, struct archive_entry *e, const char *to, struct err *err)
{
	auto_close int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	                         archive_entry_perm(e) & 0111 ? 0755 : 0644);

	if (fd < 0)
		return err_set(err, "%s: %s", to, strerror(errno));
	if (archive_read_data_into_fd(a, fd) != ARCHIVE_OK)
		return err_set(err, "%s: %s", to, archive_error_string(a));
	return 0;
}

static int unpack_entry(struct archive *a, struct archive_entry *e, const char *dir,
                        const char *path, struct err *err)
{
	auto_free char *to = xasprintf("%s/%s", dir, path);
	auto_free char *parent = xstrndup(to, (size_t)(strrchr(to, '/') - to));
	mode_t type = archive_entry_filetype(e);

	if (fs_mkdir_p(parent, 0755, err) < 0)
		return -1;
	if (type == AE_IFLNK) {
		if (symlink(archive_entry_symlink(e), to) < 0)
			return err_set(err, "%s: %s", to, strerror(errno));
		return 0;
	}
	if (type != AE_IFREG || archive_entry_hardlink(e))
		return err_set(err, "%s: neither a file nor a symbolic link", path);
	return unpack_file(a, e, to, err);
}

int deb_unpack(const char *deb, const char *dir, int (*keep)(void *ctx, const char *path),
               void *ctx, struct err *err)
{
	auto_strbuf data = {0};
	auto_reader *a = archive_read_new();
	struct archive_entry *e;
	int rc;

	if (read_data_member(deb, &data, err) < 0)
		return -1;
	archive_read_support_format_tar(a);
	archive_read_support_filter_all(a);
	if (archive_read_open_memory(a, data.buf, data.len) != ARCHIVE_OK)
		return err_set(err, "%s: %s", deb, archive_error_string(a));
	while ((rc = archive_read_next_header(a, &e)) == ARCHIVE_OK) {
		auto_free char *path = clean_path(archive_entry_pathname(e));

		if (!path || archive_entry_filetype(e) == AE_IFDIR || !keep(ctx, path))
			continue;
		if (unpack_entry(a, e, dir, path, err) < 0)
			return err_wrap(err, "%s", deb);
	}
	return rc == ARCHIVE_EOF ? 0 : err_set(err, "%s: %s", deb, archive_error_string(a));
}
