// SPDX-License-Identifier: Apache-2.0
/*
 * fs_copy: by copy_file_range(2) where the two file systems agree on it, by read and write
 * elsewhere. Holes are looked for with SEEK_DATA and SEEK_HOLE (lseek(2)) and stay holes.
 */
#include "err.h"
#include "fs.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (1u << 18)
#define RANGE (1u << 26)

struct copy {
	const char *from, *to;
	int in, out;
	bool by_kernel; /* copy_file_range has not failed yet */
};

/* Bytes moved by the kernel at *pos; 0 when it cannot, or sees the end: read(2) decides then. */
static ssize_t copy_in_kernel(struct copy *c, off_t pos, size_t want)
{
	loff_t in = pos, out = pos;
	ssize_t n;

	if (!c->by_kernel)
		return 0;
	do {
		n = copy_file_range(c->in, &in, c->out, &out, want < RANGE ? want : RANGE, 0);
	} while (n < 0 && errno == EINTR);
	if (n >= 0 || errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG)
		return n;
	/* EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EPERM ...: not between these two files */
	c->by_kernel = false;
	return 0;
}

static int write_at(int fd, const char *p, size_t len, off_t pos)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		pos += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Copies [pos, end) or less when the source ends before; *got is where it ended. */
static int copy_range(struct copy *c, off_t pos, off_t end, off_t *got, struct err *err)
{
	auto_free char *buf = NULL;

	while (pos < end) {
		size_t left = (size_t)(end - pos);
		ssize_t n = copy_in_kernel(c, pos, left);

		if (n < 0)
			return fs_fail(err, "write", c->to);
		if (n == 0) {
			if (!buf)
				buf = xmalloc(CHUNK);
			n = pread(c->in, buf, left < CHUNK ? left : CHUNK, pos);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return fs_fail(err, "read", c->from);
			if (n == 0)
				break;
			if (write_at(c->out, buf, (size_t)n, pos) < 0)
				return fs_fail(err, "write", c->to);
		}
		pos += n;
	}
	*got = pos;
	return 0;
}

/* The next stretch of data at or behind pos; false: only a hole is left. A file system that knows
 * no holes has data from pos to size. */
static bool next_data(int fd, off_t pos, off_t size, off_t *start, off_t *end)
{
	*start = lseek(fd, pos, SEEK_DATA);
	if (*start < 0 && errno == ENXIO)
		return false;
	if (*start < pos) {
		*start = pos;
		*end = size;
		return true;
	}
	*end = lseek(fd, *start, SEEK_HOLE);
	if (*end <= *start || *end > size)
		*end = size;
	return *start < size;
}

/* A source of known size: so many bytes as it had in the beginning, whatever is appended to it. */
static int copy_sized(struct copy *c, off_t size, struct err *err)
{
	struct stat st;
	off_t pos = 0, start, end;

	while (pos < size && next_data(c->in, pos, size, &start, &end)) {
		if (copy_range(c, start, end, &pos, err) < 0)
			return -1;
		if (pos < end)
			return err_set(err, "copy %s: it became shorter meanwhile", c->from);
	}
	if (fstat(c->in, &st) == 0 && st.st_size < size) /* it may end in a hole */
		return err_set(err, "copy %s: it became shorter meanwhile", c->from);
	return ftruncate(c->out, size) == 0 ? 0 : fs_fail(err, "write", c->to);
}

static int copy_content(struct copy *c, const struct stat *st, struct err *err)
{
	off_t end;

	if (st->st_size > 0)
		return copy_sized(c, st->st_size, err);
	/* files of /proc and /sys say 0 and have content all the same */
	c->by_kernel = false;
	return copy_range(c, 0, INT64_MAX, &end, err);
}

static int copy_to_temporary(const char *from, const char *tmp, const char *to, struct err *err)
{
	auto_close int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK), out = -1;
	struct copy c = {.from = from, .to = to, .by_kernel = true};
	struct stat st;

	if (in < 0 || fstat(in, &st) < 0)
		return err_set(err, "open %s: %s", from, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, "copy %s: not a regular file", from);
	unlink(tmp); /* of a process of this number that was killed */
	out = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0)
		return fs_fail(err, "create", tmp);
	c.in = in;
	c.out = out;
	if (copy_content(&c, &st, err) < 0)
		return -1;
	if (fchmod(out, st.st_mode & 0777) < 0 || fsync(out) < 0)
		return fs_fail(err, "write", to);
	return 0;
}

int fs_copy(const char *from, const char *to, struct err *err)
{
	auto_free char *tmp = fs_temp_beside(to);

	if (copy_to_temporary(from, tmp, to, err) < 0) {
		unlink(tmp);
		return -1;
	}
	return fs_rename(tmp, to, err);
}
