// SPDX-License-Identifier: Apache-2.0
#include "debunpack.h"

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

/* A package may have a link and then a file "behind" it: only directories are walked through. */
static int check_parents(const char *dir, const char *path, struct err *err)
{
	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		auto_free char *parent = xasprintf("%s/%.*s", dir, (int)(p - path), path);
		struct stat st;

		if (lstat(parent, &st) == 0 && !S_ISDIR(st.st_mode))
			return err_set(err, "%s leads through %.*s, which is no directory", path,
			               (int)(p - path), path);
	}
	return 0;
}

static int unpack_file(struct archive *a, struct archive_entry *e, const char *to, struct err *err)
{
	auto_close int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
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

	if (check_parents(dir, path, err) < 0 || fs_mkdir_p(parent, 0755, err) < 0)
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
