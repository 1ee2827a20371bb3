// SPDX-License-Identifier: Apache-2.0
#include "lock.h"

#include "err.h"
#include "link.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLL_MS 50
#define TELL_MS 1000

/* When a process began, in clock ticks after boot (proc(5): field 22 of stat); 0: there is none. */
static unsigned long long start_time(pid_t pid)
{
	char path[64], text[1024], *p;
	unsigned long long ticks = 0;
	auto_close int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name before it may hold anything */
	for (int field = 2; p && field < 22; field++) {
		p = strchr(p, ' ');
		p += p != NULL;
	}
	return p && sscanf(p, "%llu", &ticks) == 1 ? ticks : 0;
}

/* Whether the process that the file names is gone; false for a file that names none yet. */
static bool orphaned(int fd)
{
	char text[64];
	unsigned long long began;
	int pid;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return sscanf(text, "%d %llu", &pid, &began) == 2 && (!began || start_time(pid) != began);
}

static int name_holder(int fd, pid_t pid)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%d %llu\n", (int)pid, start_time(pid));

	return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) == len ? 0 : -1;
}

static bool same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* A file that another user may open could be locked by that user. */
static int check_file(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(err, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077)
		return err_set(err, "%s: not a file of root's alone; remove it", path);
	return 0;
}

/* Without O_CLOEXEC: see the header. */
static int open_file(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd < 0)
		return err_set(err, "open %s: %s", path, strerror(errno));
	if (check_file(fd, path, err) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* 1: *out holds the lock; 0: another process does, *orphan says which kind; -1: failure. */
static int try_lock(const char *path, pid_t attended_by, int *out, bool *orphan, struct err *err)
{
	auto_close int fd = open_file(path, err);

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		*orphan = orphaned(fd);
		return 0;
	}
	if (!same_file(fd, path)) /* its last holder has just removed it */
		return 0;
	if (name_holder(fd, attended_by) < 0)
		return err_set(err, "write %s: %s", path, strerror(errno));
	*out = steal_fd(&fd);
	return 1;
}

int lock_take(const char *path, const struct lock_wait *w, struct err *err)
{
	long long grace = now_ms() + w->grace_ms, end = now_ms() + w->wait_ms, tell = 0;
	int fd = -1;

	for (;;) {
		bool orphan = false;
		int r = try_lock(path, w->attended_by, &fd, &orphan, err);

		if (r != 0)
			return r < 0 ? -1 : fd;
		if (now_ms() > (orphan ? end : grace))
			return err_set(err, "another installer is at work on this machine: wait "
			                    "until it has finished");
		if (orphan) {
			grace = now_ms() + w->grace_ms;
			if (w->waiting && now_ms() >= tell) {
				if (w->waiting(w->ctx, err) < 0)
					return -1;
				tell = now_ms() + TELL_MS;
			}
		}
		poll(NULL, 0, POLL_MS);
	}
}

void lock_release(const char *path, int fd)
{
	auto_close int again = -1;

	if (fd < 0)
		return;
	again = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	close(fd);
	/* the file goes only when no command that inherited fd is left */
	if (again >= 0 && flock(again, LOCK_EX | LOCK_NB) == 0 && same_file(again, path))
		unlink(path);
}
