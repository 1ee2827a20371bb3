// SPDX-License-Identifier: Apache-2.0
/* The only file that knows libarchive. */
#include "unpack.h"

#include "err.h"
#include "fs.h"
#include "mem.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE    (1u << 18)
#define ENTRIES_MAX  20000
#define BYTES_MAX    (8LL << 30)
#define NAME_MAX_LEN 512

/* A relative path without ".."; "./" in front is allowed. */
static int inside(const char *path)
{
	const char *p = path;

	if (*p == '/' || !*p || strlen(p) > NAME_MAX_LEN)
		return 0;
	while (p) {
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || !p[2]))
			return 0;
		p = strchr(p, '/');
		if (p)
			p++;
	}
	return 1;
}

static int check_entry(struct archive_entry *e, struct err *err)
{
	const char *path = archive_entry_pathname(e);
	const char *target = archive_entry_symlink(e);
	mode_t type = archive_entry_filetype(e);

	if (!path || !inside(path))
		return err_set_code(err, EXIT_BAD_BUNDLE, "a file would land outside: %s",
		                    path ? path : "");
	if (archive_entry_hardlink(e) || (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK))
		return err_set_code(err, EXIT_BAD_BUNDLE,
		                    "%s: neither file nor directory nor symbolic link", path);
	if (type == AE_IFLNK && (!target || !inside(target)))
		return err_set_code(err, EXIT_BAD_BUNDLE, "%s: a link that leads outside", path);
	archive_entry_set_perm(e, type == AE_IFDIR ? 0755 : archive_entry_perm(e) & 0755);
	return 0;
}

/* path lies below the directory that is the working directory now. */
static int write_failed(struct archive *out, const char *path, struct err *err)
{
	auto_free char *dir = realpath(".", NULL);
	auto_free char *whole = xasprintf("%s/%s", dir ? dir : ".", path);

	if (archive_errno(out) <= 0) /* libarchive's own refusals, such as a link in the way */
		return err_set(err, "unpack %s: %s", whole, archive_error_string(out));
	errno = archive_errno(out);
	return fs_fail(err, "unpack", whole);
}

static int copy_data(struct archive *in, struct archive *out, const char *path, struct err *err)
{
	const void *buf;
	size_t len;
	la_int64_t offset;

	for (;;) {
		int r = archive_read_data_block(in, &buf, &len, &offset);

		if (r == ARCHIVE_EOF)
			return 0;
		if (r < ARCHIVE_OK)
			return err_set_code(err, EXIT_BAD_BUNDLE, "layer: %s",
			                    archive_error_string(in));
		if (archive_write_data_block(out, buf, len, offset) < ARCHIVE_OK)
			return write_failed(out, path, err);
	}
}

static int copy_entries(struct archive *in, struct archive *out, struct err *err)
{
	struct archive_entry *e;
	la_int64_t bytes = 0;
	const char *path;

	for (int n = 0;; n++) {
		int r = archive_read_next_header(in, &e);

		if (r == ARCHIVE_EOF)
			return 0;
		if (r < ARCHIVE_OK)
			return err_set_code(err, EXIT_BAD_BUNDLE, "layer: %s",
			                    archive_error_string(in));
		bytes += archive_entry_size(e);
		if (n >= ENTRIES_MAX || bytes > BYTES_MAX)
			return err_set_code(err, EXIT_BAD_BUNDLE, "layer: too large");
		if (check_entry(e, err) < 0)
			return -1;
		path = archive_entry_pathname(e);
		if (archive_write_header(out, e) < ARCHIVE_OK)
			return write_failed(out, path, err);
		if (copy_data(in, out, path, err) < 0)
			return -1;
		if (archive_write_finish_entry(out) < ARCHIVE_OK)
			return write_failed(out, path, err);
	}
}

int unpack_layer(int fd, const char *dir, struct err *err)
{
	struct archive *in = archive_read_new();
	struct archive *out = archive_write_disk_new();
	int rc = -1;

	archive_read_support_format_tar(in);
	archive_read_support_filter_zstd(in);
	archive_read_support_filter_gzip(in);
	archive_write_disk_set_options(
	    out, ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_UNLINK | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
		     ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
	if (chdir(dir) < 0)
		err_set(err, "%s: %s", dir, strerror(errno));
	else if (archive_read_open_fd(in, fd, READ_SIZE) != ARCHIVE_OK)
		err_set_code(err, EXIT_BAD_BUNDLE, "layer: %s", archive_error_string(in));
	else
		rc = copy_entries(in, out, err);
	if (archive_write_close(out) < ARCHIVE_OK && rc == 0)
		rc = write_failed(out, "", err);
	archive_write_free(out);
	archive_read_free(in);
	if (chdir("/") < 0 && rc == 0)
		rc = err_set(err, "/: %s", strerror(errno));
	return rc;
}

/* ---- one file of a layer inside of another file ---- */

struct part {
	int fd;
	uint64_t offset, left;
	char buf[READ_SIZE];
};

static la_ssize_t read_part(struct archive *a, void *ctx, const void **data)
{
	struct part *p = ctx;
	size_t want = p->left < sizeof(p->buf) ? (size_t)p->left : sizeof(p->buf);
	ssize_t n = pread(p->fd, p->buf, want, (off_t)p->offset);

	if (n < 0) {
		archive_set_error(a, errno, "read: %s", strerror(errno));
		return -1;
	}
	*data = p->buf;
	p->offset += (uint64_t)n;
	p->left -= (uint64_t)n;
	return n;
}

static int find_member(struct archive *in, const char *name, int out, struct err *err)
{
	struct archive_entry *e;

	for (int n = 0; n < ENTRIES_MAX; n++) {
		int r = archive_read_next_header(in, &e);
		const char *path;

		if (r == ARCHIVE_EOF)
			return 0;
		if (r < ARCHIVE_OK)
			break;
		path = archive_entry_pathname(e);
		if (!path || archive_entry_filetype(e) != AE_IFREG ||
		    strcmp(path + (strncmp(path, "./", 2) == 0 ? 2 : 0), name) != 0)
			continue;
		if (archive_entry_size(e) > BYTES_MAX ||
		    archive_read_data_into_fd(in, out) != ARCHIVE_OK)
			break;
		return 1;
	}
	return err_set_code(err, EXIT_BAD_BUNDLE, "layer: %s",
	                    archive_error_string(in) ? archive_error_string(in) : "too large");
}

int unpack_member(int fd, uint64_t offset, uint64_t size, const char *name, int out,
                  struct err *err)
{
	struct archive *in = archive_read_new();
	struct part *part = xcalloc(1, sizeof(*part));
	int rc;

	*part = (struct part){.fd = fd, .offset = offset, .left = size};
	archive_read_support_format_tar(in);
	archive_read_support_filter_zstd(in);
	archive_read_support_filter_gzip(in);
	if (archive_read_open(in, part, NULL, read_part, NULL) != ARCHIVE_OK)
		rc = err_set_code(err, EXIT_BAD_BUNDLE, "layer: %s", archive_error_string(in));
	else
		rc = find_member(in, name, out, err);
	archive_read_free(in);
	free(part);
	return rc;
}
