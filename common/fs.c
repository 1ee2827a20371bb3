// SPDX-License-Identifier: Apache-2.0
#include "fs.h"

#include "err.h"
#include "mem.h"
#include "strbuf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fs_read(const char *path, size_t max, struct strbuf *out, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t got = 0;

	if (fd < 0)
		return err_set(err, "open %s: %s", path, strerror(errno));
	for (;;) {
		ssize_t n;

		strbuf_grow(out, 1 << 14);
		n = read(fd, out->buf + out->len, 1 << 14);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, "read %s: %s", path, strerror(errno));
		out->buf[out->len + (size_t)n] = '\0';
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		out->buf[out->len] = '\0';
		got += (size_t)n;
		if (got > max)
			return err_set(err, "%s: larger than %zu bytes", path, max);
	}
}

int fs_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fs_read_all(int fd, void *data, size_t len)
{
	char *p = data;

	while (len) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = 0;
			return -1;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The directory that holds path: an entry is durable once this was fsynced. */
static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static int sync_dir_of(const char *path, struct err *err)
{
	auto_free char *dir = parent_of(path);
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* EINVAL: a file system that cannot sync directories */
	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		return err_set(err, "sync %s: %s", dir, strerror(errno));
	return 0;
}

/* A name beside path that does not exist yet. */
static char *temp_beside(const char *path)
{
	static unsigned counter;

	return xasprintf("%s.tmp.%d.%u", path, (int)getpid(), counter++);
}

int fs_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
	auto_free char *tmp = temp_beside(path);
	auto_close int fd = -1;

	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	/* left by a process that died: in a container every one of them has number 1 */
	if (fd < 0 && errno == EEXIST && unlink(tmp) == 0)
		fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return err_set(err, "create %s: %s", tmp, strerror(errno));
	if (fs_write_all(fd, data, len) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0) {
		err_set(err, "write %s: %s", path, strerror(errno));
		unlink(tmp);
		return -1;
	}
	if (rename(tmp, path) < 0) {
		err_set(err, "rename %s to %s: %s", tmp, path, strerror(errno));
		unlink(tmp);
		return -1;
	}
	return sync_dir_of(path, err);
}

int fs_mkdir_p(const char *path, mode_t mode, struct err *err)
{
	auto_free char *p = xstrdup(path);
	struct stat st;

	for (char *s = p + 1;; s++) {
		char c = *s;

		if (c && c != '/')
			continue;
		*s = '\0';
		if (mkdir(p, mode) < 0 && errno != EEXIST)
			return err_set(err, "create directory %s: %s", p, strerror(errno));
		if (!c)
			break;
		*s = c;
	}
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(err, "create directory %s: a file of that name is in the way", path);
	return 0;
}

static int remove_at(int dirfd, const char *name, const char *shown, dev_t dev, struct err *err);

static int remove_entries(int fd, const char *shown, dev_t dev, struct err *err)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;
	int rc = 0;

	if (!dir) {
		err_set(err, "read %s: %s", shown, strerror(errno));
		close(fd);
		return -1;
	}
	while (rc == 0 && (e = readdir(dir))) {
		auto_free char *path = NULL;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		path = xasprintf("%s/%s", shown, e->d_name);
		rc = remove_at(fd, e->d_name, path, dev, err);
	}
	closedir(dir);
	return rc;
}

static int remove_at(int dirfd, const char *name, const char *shown, dev_t dev, struct err *err)
{
	struct stat st;
	int fd;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_set(err, "%s: %s", shown, strerror(errno));
	if (!S_ISDIR(st.st_mode)) {
		if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
			return err_set(err, "remove %s: %s", shown, strerror(errno));
		return 0;
	}
	if (st.st_dev != dev)
		return err_set(err, "remove %s: another file system is mounted there", shown);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, "open %s: %s", shown, strerror(errno));
	if (remove_entries(fd, shown, dev, err) < 0)
		return -1;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set(err, "remove %s: %s", shown, strerror(errno));
	return 0;
}

int fs_remove_tree(const char *path, struct err *err)
{
	auto_free char *dir = parent_of(path);
	struct stat st;

	if (stat(dir, &st) < 0)
		return errno == ENOENT ? 0 : err_set(err, "%s: %s", dir, strerror(errno));
	return remove_at(AT_FDCWD, path, path, st.st_dev, err);
}

int fs_symlink_atomic(const char *target, const char *path, struct err *err)
{
	auto_free char *tmp = temp_beside(path);
	struct stat st;

	if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))
		return err_set(err, "link %s: a file of that name is in the way", path);
	if (symlink(target, tmp) < 0)
		return err_set(err, "link %s: %s", tmp, strerror(errno));
	if (rename(tmp, path) < 0) {
		err_set(err, "link %s: %s", path, strerror(errno));
		unlink(tmp);
		return -1;
	}
	return sync_dir_of(path, err);
}

int fs_copy(const char *from, const char *to, struct err *err)
{
	auto_close int in = open(from, O_RDONLY | O_CLOEXEC);
	auto_close int out = -1;
	auto_free char *tmp = temp_beside(to);
	struct stat st;
	ssize_t n;

	if (in < 0 || fstat(in, &st) < 0)
		return err_set(err, "open %s: %s", from, strerror(errno));
	out = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return err_set(err, "create %s: %s", tmp, strerror(errno));
	do {
		n = copy_file_range(in, NULL, out, NULL, 1 << 26, 0);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 || fchmod(out, st.st_mode & 0777) < 0 || fsync(out) < 0 || rename(tmp, to) < 0) {
		err_set(err, "copy %s to %s: %s", from, to, strerror(errno));
		unlink(tmp);
		return -1;
	}
	return sync_dir_of(to, err);
}

bool fs_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

int fs_list(const char *path, struct strlist *out, struct err *err)
{
	DIR *dir = opendir(path);
	struct dirent *e;

	if (!dir)
		return err_set(err, "read %s: %s", path, strerror(errno));
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			strlist_add(out, e->d_name);
	closedir(dir);
	strlist_sort(out);
	return 0;
}
