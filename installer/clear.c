// SPDX-License-Identifier: Apache-2.0
/*
 * Everything goes through descriptors (openat, unlinkat) and never follows a link, so that a name
 * that is exchanged meanwhile leads nowhere. A mount is known by its id, not by its device: a bind
 * mount of the same file system has the device of its surroundings. The kernel itself refuses
 * (EBUSY) to unlink what is mounted upon.
 */
#include "clear.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the report ---- */

void clear_report_init(struct clear_report *r)
{
	*r = (struct clear_report){json_array(), json_array(), json_array()};
}

void clear_report_release(struct clear_report *r)
{
	json_decref(r->removed);
	json_decref(r->stayed);
	json_decref(r->failed);
	*r = (struct clear_report){0};
}

void clear_removed(struct clear_report *r, const char *what)
{
	json_array_append_new(r->removed, json_string(what));
}

/* File names are bytes; JSON wants UTF-8. */
__attribute__((format(printf, 2, 0))) static json_t *entry(const char *what, const char *fmt,
                                                           va_list ap)
{
	char why[500];
	json_t *e;

	vsnprintf(why, sizeof(why), fmt, ap);
	e = json_pack("{ss ss}", "what", what, "why", why);
	return e ? e : json_pack("{ss ss}", "what", "a file with a strange name", "why", why);
}

static bool reported(const json_t *list, const char *what)
{
	size_t i;
	json_t *e;

	json_array_foreach (list, i, e) {
		const char *s = json_string_value(json_object_get(e, "what"));

		if (s && strcmp(s, what) == 0)
			return true;
	}
	return false;
}

void clear_stayed(struct clear_report *r, const char *what, const char *fmt, ...)
{
	va_list ap;

	if (reported(r->stayed, what))
		return;
	va_start(ap, fmt);
	json_array_append_new(r->stayed, entry(what, fmt, ap));
	va_end(ap);
}

void clear_failed(struct clear_report *r, const char *what, const char *fmt, ...)
{
	size_t n = json_array_size(r->failed);
	va_list ap;

	if (reported(r->failed, what))
		return;
	if (n >= CLEAR_FAILURES) {
		json_t *last = json_array_get(r->failed, n - 1);
		json_int_t more = json_integer_value(json_object_get(last, "more")) + 1;
		auto_free char *why = xasprintf("could not be removed (and %lld more)", more);

		json_object_set_new(last, "more", json_integer(more));
		json_object_set_new(last, "why", json_string(why));
		return;
	}
	va_start(ap, fmt);
	json_array_append_new(r->failed, entry(what, fmt, ap));
	va_end(ap);
}

/* ---- mount ids ---- */

/* "mnt_id:\t27" in /proc/self/fdinfo/FD, there since Linux 3.15. */
static int mount_id_of_fdinfo(int fd, uint64_t *id)
{
	auto_free char *path = xasprintf("/proc/self/fdinfo/%d", fd);
	auto_strbuf text = {0};
	struct err ignored = {0};
	const char *p;

	if (fs_read(path, 1 << 16, &text, &ignored) < 0)
		return -1;
	p = strstr(strbuf_str(&text), "mnt_id:");
	if (!p)
		return -1;
	*id = strtoull(p + strlen("mnt_id:"), NULL, 10);
	return 0;
}

struct walk {
	struct clear_report *r;
	const struct clear_opts *opts;
	uint64_t mount; /* of the directory that is cleared: other mounts stay */
};

/* Of an open file; -1: not known, and then nothing may be removed. */
static int mount_id(const struct clear_opts *opts, int fd, uint64_t *id)
{
	struct statx sx;

	if (!opts->without_statx &&
	    statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) == 0 &&
	    (sx.stx_mask & STATX_MNT_ID)) {
		*id = sx.stx_mnt_id;
		return 0;
	}
	return mount_id_of_fdinfo(fd, id);
}

struct what {
	bool dir;
	uint64_t mount;
};

/* Type and mount of one name, without asking a file server; errno is that of the last try. */
static int look(const struct walk *w, int dirfd, const char *name, struct what *out)
{
	auto_close int fd = -1;
	struct statx sx;
	struct stat st;

	if (!w->opts->without_statx &&
	    statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
	          STATX_TYPE | STATX_MNT_ID, &sx) == 0 &&
	    (sx.stx_mask & STATX_MNT_ID)) {
		*out = (struct what){S_ISDIR(sx.stx_mode), sx.stx_mnt_id};
		return 0;
	}
	fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	*out = (struct what){0};
	if (mount_id_of_fdinfo(fd, &out->mount) < 0) {
		errno = ENOTSUP;
		return -1;
	}
	if (out->mount != w->mount) /* a file server may not answer more questions */
		return 0;
	if (fstat(fd, &st) < 0)
		return -1;
	out->dir = S_ISDIR(st.st_mode);
	return 0;
}

/* ---- removal ---- */

static bool clear_entries(struct walk *w, int fd, const char *shown, bool top, bool root);

static bool stays_mounted(const struct walk *w, const char *shown)
{
	clear_stayed(w->r, shown, "a mount of yours");
	return false;
}

static bool failed(const struct walk *w, const char *shown)
{
	if (errno == ENOENT)
		return true;
	clear_failed(w->r, shown, "%s",
	             errno == ENOTSUP ? "what is mounted there cannot be found out"
	                              : strerror(errno));
	return false;
}

static bool unlink_one(const struct walk *w, int dirfd, const char *name, const char *shown,
                       int flags)
{
	if (unlinkat(dirfd, name, flags) == 0)
		return true;
	return errno == EBUSY ? stays_mounted(w, shown) : failed(w, shown);
}

static bool clear_child_dir(struct walk *w, int dirfd, const char *name, const char *shown)
{
	auto_close int fd = openat(dirfd, name,
	                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	uint64_t id;

	if (fd < 0)
		return failed(w, shown);
	if (mount_id(w->opts, fd, &id) < 0) {
		errno = ENOTSUP;
		return failed(w, shown);
	}
	if (id != w->mount) /* mounted this very moment */
		return stays_mounted(w, shown);
	if (!clear_entries(w, steal_fd(&fd), shown, false, false))
		return false;
	return unlink_one(w, dirfd, name, shown, AT_REMOVEDIR);
}

/* True when it is gone. */
static bool clear_child(struct walk *w, int dirfd, const char *name, const char *shown)
{
	struct what what;

	if (look(w, dirfd, name, &what) < 0)
		return failed(w, shown);
	if (what.mount != w->mount)
		return stays_mounted(w, shown);
	if (what.dir)
		return clear_child_dir(w, dirfd, name, shown);
	return unlink_one(w, dirfd, name, shown, 0);
}

static bool is_named(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/* The directory of a file system's checker: without it a repair has nowhere to put what it finds.
 */
static bool is_lost_found(const char *name, bool root)
{
	return root && strcmp(name, "lost+found") == 0;
}

/* What is not ours to remove. */
static void leave_other(const struct walk *w, int dirfd, const char *name, const char *shown)
{
	struct what what;

	if (look(w, dirfd, name, &what) == 0 && what.mount != w->mount)
		stays_mounted(w, shown);
	else
		clear_stayed(w->r, shown, "%s", w->opts->others);
}

/* Takes over fd. root: it is the root of a file system. True when nothing is left in it. */
static bool clear_entries(struct walk *w, int fd, const char *shown, bool top, bool root)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;
	bool empty = true;

	if (!dir) {
		failed(w, shown);
		close(fd);
		return false;
	}
	while (errno = 0, (e = readdir(dir))) {
		auto_free char *path = NULL;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		path = xasprintf("%s/%s", shown, e->d_name);
		if (is_lost_found(e->d_name, root)) {
			empty = false;
		} else if (top && w->opts->only && !is_named(w->opts->only, e->d_name)) {
			leave_other(w, dirfd(dir), e->d_name, path);
			empty = false;
		} else if (!clear_child(w, dirfd(dir), e->d_name, path)) {
			empty = false;
		}
	}
	if (errno) { /* the rest was not seen */
		failed(w, shown);
		empty = false;
	}
	closedir(dir);
	return empty;
}

/* ---- a directory of ours ---- */

/* System directories: a user's link that leads to one does not make its contents ours. */
static bool is_system_dir(const char *path)
{
	static const char *const dirs[] = {
	    "/",      "/bin",     "/boot",    "/dev",     "/etc",  "/home",    "/lib",
	    "/lib64", "/media",   "/mnt",     "/opt",     "/proc", "/root",    "/run",
	    "/srv",   "/sbin",    "/sys",     "/tmp",     "/usr",  "/usr/lib", "/usr/local",
	    "/var",   "/var/lib", "/var/log", "/var/tmp",
	};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (strcmp(path, dirs[i]) == 0)
			return true;
	return false;
}

static char *parent_of(const char *path, const char **base)
{
	const char *slash = strrchr(path, '/');

	*base = slash + 1;
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

/* Where an open file lies. NULL with errno. */
static char *name_of(int fd)
{
	auto_free char *path = xasprintf("/proc/self/fd/%d", fd);
	char name[4096];
	ssize_t n = readlink(path, name, sizeof(name) - 1);

	return n < 0 ? NULL : xstrndup(name, (size_t)n);
}

/*
 * Opens dir as a path; a link at its end is the user's and is followed, this once. Its target's
 * name goes to *target, NULL when there is no link. -1: nothing to clear (reported if it matters).
 */
static int open_place(int parent, const char *base, const char *dir, char **target,
                      struct clear_report *r)
{
	auto_close int fd = openat(parent, base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		if (errno != ENOENT)
			clear_failed(r, dir, "%s", strerror(errno));
		return -1;
	}
	if (!S_ISLNK(st.st_mode))
		return steal_fd(&fd);
	close(fd);
	fd = openat(parent, base, O_PATH | O_CLOEXEC);
	*target = fd < 0 ? NULL : name_of(fd);
	if (!*target) {
		clear_stayed(r, dir, "a link of yours, and its target cannot be opened (%s)",
		             strerror(errno));
		return -1;
	}
	if (is_system_dir(*target)) {
		clear_failed(r, dir, "a link to %s, which is not ours to empty", *target);
		return -1;
	}
	return steal_fd(&fd);
}

/* Is the open directory the root of a mount? Its ".." is then in another one. */
static int is_mount_root(const struct walk *w, int fd, bool *out)
{
	auto_close int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t id;

	if (up < 0 || mount_id(w->opts, up, &id) < 0)
		return -1;
	*out = id != w->mount;
	return 0;
}

/* What becomes of the directory itself, after nothing below it failed. */
static void finish_place(const struct walk *w, int parent, const char *base, const char *dir,
                         const char *target, bool root, bool empty)
{
	auto_free char *contents = xasprintf("what was ours in %s", dir);

	if (target)
		clear_stayed(w->r, dir, "a link of yours; %s, to which it leads, was emptied",
		             target);
	else if (root)
		clear_stayed(w->r, dir, "a file system of its own, which was emptied");
	else if (empty && !w->opts->keep_dir) {
		if (unlink_one(w, parent, base, dir, AT_REMOVEDIR))
			clear_removed(w->r, dir);
		return;
	}
	clear_removed(w->r, contents);
}

void clear_dir(const char *dir, const struct clear_opts *opts, struct clear_report *r)
{
	const struct clear_opts all = {0};
	struct walk w = {.r = r, .opts = opts ? opts : &all};
	const char *base;
	auto_free char *up = parent_of(dir, &base), *target = NULL;
	auto_close int parent = open(up, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1, list = -1;
	size_t failures = json_array_size(r->failed);
	struct stat st;
	bool root = false, empty;

	if (parent < 0) {
		if (errno != ENOENT)
			clear_failed(r, dir, "%s", strerror(errno));
		return;
	}
	fd = open_place(parent, base, dir, &target, r);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)) {
		if (target)
			clear_stayed(r, dir, "a link of yours to a file");
		else
			clear_file(dir, r);
		return;
	}
	if (mount_id(w.opts, fd, &w.mount) < 0 || is_mount_root(&w, fd, &root) < 0) {
		clear_failed(r, dir, "what is mounted there cannot be found out");
		return;
	}
	list = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (list < 0) {
		clear_failed(r, dir, "%s", strerror(errno));
		return;
	}
	empty = clear_entries(&w, steal_fd(&list), dir, true, root);
	if (json_array_size(r->failed) == failures)
		finish_place(&w, parent, base, dir, target, root, empty);
}

void clear_file(const char *path, struct clear_report *r)
{
	if (unlink(path) == 0)
		clear_removed(r, path);
	else if (errno == EBUSY)
		clear_stayed(r, path, "a mount of yours");
	else if (errno != ENOENT && errno != ENOTDIR)
		clear_failed(r, path, "%s", strerror(errno));
}
