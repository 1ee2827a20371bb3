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
#include <sys/statvfs.h>
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

char *fs_temp_beside(const char *path)
{
	static unsigned counter;

	return xasprintf("%s.tmp.%d.%u", path, (int)getpid(), counter++);
}

/* Where the file system that holds path is mounted; path itself need not exist. */
static char *mount_point_of(const char *path, struct statvfs *sv)
{
	auto_free char *p = realpath(path, NULL);
	struct stat st, up;

	if (!p) {
		auto_free char *dir = parent_of(path);

		/* "." and "/" exist, so this ends */
		return strcmp(dir, path) == 0 ? xstrdup(path) : mount_point_of(dir, sv);
	}
	if (statvfs(p, sv) < 0 || stat(p, &st) < 0)
		return steal(&p);
	while (strcmp(p, "/") != 0) {
		auto_free char *dir = parent_of(p);

		if (stat(dir, &up) < 0 || up.st_dev != st.st_dev)
			break;
		free(p);
		p = steal(&dir);
	}
	return steal(&p);
}

int fs_fail(struct err *err, const char *doing, const char *path)
{
	int cause = errno;
	struct statvfs sv = {0};
	auto_free char *mount = NULL;

	if (cause != ENOSPC && cause != EDQUOT && cause != EROFS && cause != EIO)
		return err_set(err, "%s %s: %s", doing, path, strerror(cause));
	mount = mount_point_of(path, &sv);
	if (cause == ENOSPC && sv.f_files && !sv.f_favail)
		return err_set(err, "%s %s: %s (the file system at %s has no inodes left)", doing,
		               path, strerror(cause), mount);
	return err_set(err, "%s %s: %s (the file system at %s has %llu MB free)", doing, path,
	               strerror(cause), mount,
	               (unsigned long long)sv.f_bavail * sv.f_frsize / 1000000);
}

int fs_rename(const char *from, const char *to, struct err *err)
{
	auto_free char *doing = NULL;

	if (rename(from, to) == 0)
		return sync_dir_of(to, err);
	doing = xasprintf("rename %s to", from);
	fs_fail(err, doing, to);
	unlink(from);
	return -1;
}

int fs_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
	auto_free char *tmp = fs_temp_beside(path);
	auto_close int fd = -1;

	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	/* left by a process that died: in a container every one of them has number 1 */
	if (fd < 0 && errno == EEXIST && unlink(tmp) == 0)
		fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return fs_fail(err, "create", tmp);
	if (fs_write_all(fd, data, len) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0) {
		fs_fail(err, "write", path);
		unlink(tmp);
		return -1;
	}
	return fs_rename(tmp, path, err);
}

/* Names the link that leads nowhere when one of the parents is such a link. */
static int mkdir_fail(const char *path, struct err *err)
{
	auto_free char *dir = parent_of(path);
	char target[256];
	struct stat st;
	ssize_t n;

	if (errno == ENOENT && stat(dir, &st) < 0) {
		n = readlink(dir, target, sizeof(target) - 1);
		if (n > 0) {
			target[n] = '\0';
			return err_set(
			    err, "create directory %s: %s is a link to %s, which is not there",
			    path, dir, target);
		}
		errno = ENOENT;
	}
	return fs_fail(err, "create directory", path);
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
			return mkdir_fail(p, err);
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
	auto_free char *tmp = fs_temp_beside(path);
	struct stat st;

	if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))
		return err_set(err, "link %s: a file of that name is in the way", path);
	unlink(tmp); /* of a process of this number that was killed */
	if (symlink(target, tmp) < 0)
		return fs_fail(err, "link", tmp);
	return fs_rename(tmp, path, err);
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

void fs_remove_temporaries(const char *path)
{
	auto_free char *dir = parent_of(path);
	const char *slash = strrchr(path, '/');
	auto_free char *prefix = xasprintf("%s.tmp.", slash ? slash + 1 : path);
	auto_strlist names = {0};
	struct err ignored = {0};

	if (fs_list(dir, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *found = xasprintf("%s/%s", dir, names.v[i]);
		const char *rest = names.v[i] + strlen(prefix);

		if (strncmp(names.v[i], prefix, strlen(prefix)) == 0 && *rest &&
		    strspn(rest, "0123456789.") == strlen(rest))
			unlink(found);
	}
}
