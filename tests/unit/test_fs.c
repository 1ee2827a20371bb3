/* links: common */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"
#include "unit.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[] = "/tmp/kubecask-fs.XXXXXX";

static const char *at(const char *name)
{
	static char path[2][256];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", root, name);
	return path[turn];
}

static void atomic_write_and_read(void **state)
{
	struct err err = {0};
	auto_strbuf sb = {0};
	struct stat st;

	(void)state;
	umask(0077);
	assert_int_equal(fs_write_atomic(at("f"), "old", 3, 0644, &err), 0);
	assert_int_equal(fs_write_atomic(at("f"), "new!", 4, 0640, &err), 0);
	assert_int_equal(stat(at("f"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640); /* whatever the umask */
	assert_int_equal(fs_read(at("f"), 4, &sb, &err), 0);
	assert_string_equal(sb.buf, "new!");
	assert_int_equal(fs_read(at("f"), 3, &sb, &err), -1);
	assert_non_null(strstr(err.msg, "larger than 3 bytes"));
}

/* What a process that died on the way left behind is not in the way of the next of its number. */
static void leavings_are_replaced(void **state)
{
	struct err err = {0};
	auto_strlist names = {0};
	char tmp[300];

	(void)state;
	for (int i = 0; i < 30; i++) {
		snprintf(tmp, sizeof(tmp), "%s.tmp.%d.%d", at("left"), (int)getpid(), i);
		assert_int_equal(symlink("nowhere", tmp), 0);
	}
	assert_int_equal(fs_write_atomic(at("left"), "x", 1, 0600, &err), 0);
	assert_int_equal(fs_list(at("."), &names, &err), 0);
	assert_true(strlist_has(&names, "left"));
	for (int i = 0; i < 30; i++) {
		snprintf(tmp, sizeof(tmp), "%s.tmp.%d.%d", at("left"), (int)getpid(), i);
		unlink(tmp);
	}
}

static void temporaries_are_removed(void **state)
{
	static const char *const names[] = {"unit.tmp.12.0", "unit.tmp.7.13", "unit.tmp.",
	                                    "unit.tmp.x",    "other.tmp.1.1", "unit"};
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(fs_write_atomic(at(names[i]), "", 0, 0600, &err), 0);
	fs_remove_temporaries(at("unit"));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(fs_exists(at(names[i])), i >= 2);
	fs_remove_temporaries(at("none/such"));
	for (size_t i = 2; i < ARRAY_SIZE(names); i++)
		unlink(at(names[i]));
}

static void failed_write_leaves_nothing(void **state)
{
	struct err err = {0};
	auto_strlist names = {0};

	(void)state;
	assert_int_equal(mkdir(at("dir"), 0700), 0);
	assert_int_equal(fs_write_atomic(at("dir"), "x", 1, 0600, &err), -1);
	assert_non_null(strstr(err.msg, "rename"));
	assert_int_equal(fs_list(root, &names, &err), 0);
	for (size_t i = 0; i < names.n; i++)
		assert_null(strstr(names.v[i], ".tmp."));
}

static void directories_and_removal(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(fs_mkdir_p(at("a/b/c"), 0755, &err), 0);
	assert_int_equal(fs_mkdir_p(at("a/b/c"), 0755, &err), 0);
	assert_int_equal(fs_write_atomic(at("a/b/file"), "", 0, 0644, &err), 0);
	assert_int_equal(fs_mkdir_p(at("a/b/file/x"), 0755, &err), -1);
	assert_int_equal(fs_mkdir_p(at("a/b/file"), 0755, &err), -1);
	assert_non_null(strstr(err.msg, "in the way"));
	assert_int_equal(fs_mkdir_p(at("outside"), 0755, &err), 0);
	assert_int_equal(symlink(at("outside"), at("a/b/link")), 0);
	assert_int_equal(fs_remove_tree(at("a"), &err), 0);
	assert_false(fs_exists(at("a")));
	assert_true(fs_exists(at("outside"))); /* links are not followed */
	assert_int_equal(fs_remove_tree(at("a"), &err), 0);
	assert_int_equal(fs_remove_tree(at("none/such"), &err), 0);
}

static void links_are_switched(void **state)
{
	struct err err = {0};
	char target[64] = {0};

	(void)state;
	assert_int_equal(fs_symlink_atomic("v1", at("current"), &err), 0);
	assert_int_equal(fs_symlink_atomic("v2", at("current"), &err), 0);
	assert_true(readlink(at("current"), target, sizeof(target) - 1) == 2);
	assert_string_equal(target, "v2");
	assert_int_equal(fs_write_atomic(at("real"), "", 0, 0644, &err), 0);
	assert_int_equal(fs_symlink_atomic("v2", at("real"), &err), -1);
	assert_non_null(strstr(err.msg, "in the way"));
}

static void copy_keeps_mode(void **state)
{
	struct err err = {0};
	struct stat st;

	(void)state;
	assert_int_equal(fs_write_atomic(at("tool"), "#!", 2, 0755, &err), 0);
	assert_int_equal(fs_copy(at("tool"), at("copy"), &err), 0);
	assert_int_equal(stat(at("copy"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	assert_int_equal(st.st_size, 2);
	assert_int_equal(fs_copy(at("missing"), at("copy"), &err), -1);
}

/* A memfd lies on the kernel's own tmpfs: copy_file_range(2) to a disk gives EXDEV. */
static void copy_to_another_file_system(void **state)
{
	struct err err = {0};
	auto_close int fd = memfd_create("source", MFD_CLOEXEC);
	auto_free char *from = xasprintf("/proc/self/fd/%d", fd);
	auto_strbuf sb = {0};
	size_t len = 3u << 20;
	auto_free char *data = xmalloc(len);

	(void)state;
	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i * 7 + i / 4096);
	assert_int_equal(fs_write_all(fd, data, len), 0);
	assert_int_equal(fs_copy(from, at("far"), &err), 0);
	assert_int_equal(fs_read(at("far"), len, &sb, &err), 0);
	assert_int_equal(sb.len, len);
	assert_memory_equal(sb.buf, data, len);
}

/* 5 GiB with a few bytes at both sides of 2^32 and a hole at the end: to the same file system and
 * to another one. */
static void copy_keeps_holes(void **state)
{
	static const off_t places[] = {0, (1LL << 31) + 5, (1LL << 32) + 70000};
	const off_t size = 5LL << 30;
	auto_close int memory = memfd_create("sparse", MFD_CLOEXEC);
	auto_close int disk = open(at("sparse"), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	const int sources[] = {memory, disk};
	struct err err = {0};
	struct stat st;

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(sources); s++) {
		auto_free char *from = xasprintf("/proc/self/fd/%d", sources[s]);
		auto_close int copy = -1;
		char c;

		assert_int_equal(ftruncate(sources[s], size), 0);
		for (size_t i = 0; i < ARRAY_SIZE(places); i++)
			assert_int_equal(pwrite(sources[s], "x", 1, places[i]), 1);
		assert_int_equal(fs_copy(from, at("holes"), &err), 0);
		assert_int_equal(stat(at("holes"), &st), 0);
		assert_int_equal(st.st_size, size);
		assert_true(st.st_blocks < 8192); /* 4 MiB */
		copy = open(at("holes"), O_RDONLY | O_CLOEXEC);
		for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
			assert_int_equal(pread(copy, &c, 1, places[i]), 1);
			assert_int_equal(c, 'x');
		}
	}
	unlink(at("holes"));
	unlink(at("sparse"));
}

static void copy_of_what_has_no_size(void **state)
{
	struct err err = {0};
	auto_strbuf a = {0}, b = {0};

	(void)state;
	assert_int_equal(fs_copy("/proc/self/limits", at("mountinfo"), &err), 0);
	assert_int_equal(fs_read("/proc/self/limits", 1u << 20, &a, &err), 0);
	assert_int_equal(fs_read(at("mountinfo"), 1u << 20, &b, &err), 0);
	assert_string_equal(strbuf_str(&a), strbuf_str(&b));
	assert_int_equal(fs_write_atomic(at("empty"), "", 0, 0600, &err), 0);
	assert_int_equal(fs_copy(at("empty"), at("mountinfo"), &err), 0);
	strbuf_reset(&b);
	assert_int_equal(fs_read(at("mountinfo"), 1, &b, &err), 0);
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	assert_int_equal(fs_copy(at("fifo"), at("copy"), &err), -1);
	assert_non_null(strstr(err.msg, "not a regular file"));
	assert_int_equal(fs_copy("/dev/zero", at("copy"), &err), -1);
}

static void link_that_leads_nowhere(void **state)
{
	struct err err = {0};
	auto_free char *deep = xasprintf("%s/disk/a/b", root);

	(void)state;
	assert_int_equal(symlink("/nowhere/at/all", at("disk")), 0);
	assert_int_equal(fs_mkdir_p(deep, 0755, &err), -1);
	assert_non_null(strstr(err.msg, "disk is a link to /nowhere/at/all, which is not there"));
}

static bool has_temporary(const char *dir)
{
	auto_strlist names = {0};
	struct err err = {0};

	if (fs_list(dir, &names, &err) < 0)
		return true;
	for (size_t i = 0; i < names.n; i++)
		if (strstr(names.v[i], ".tmp."))
			return true;
	return false;
}

/* In a mount namespace of its own: exit status 0 when all is as it should be. */
static int on_full_disk(const char *dir)
{
	auto_free char *to = xasprintf("%s/file", dir), *big = xasprintf("%s/../big", dir);
	auto_free char *data = xcalloc(1, 300000);
	auto_free char *where = xasprintf("(the file system at %s has ", dir);
	struct err err = {0};
	int flags = CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0);

	if (unshare(flags) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=128k") < 0)
		return 2;
	memset(data, 'x', 300000);
	if (fs_write_atomic(big, data, 300000, 0644, &err) < 0)
		return 3;
	if (fs_write_atomic(to, "old", 3, 0644, &err) < 0)
		return 4;
	if (fs_copy(big, to, &err) == 0 || !strstr(err.msg, "No space left on device") ||
	    !strstr(err.msg, where) || has_temporary(dir))
		return 5;
	if (fs_write_atomic(to, data, 300000, 0644, &err) == 0 || !strstr(err.msg, where) ||
	    has_temporary(dir))
		return 6;
	if (mount("none", dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return 7;
	if (fs_write_atomic(to, "x", 1, 0644, &err) == 0 || !strstr(err.msg, "Read-only") ||
	    !strstr(err.msg, where))
		return 8;
	return 0;
}

static void full_and_read_only(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(mkdir(at("small"), 0755), 0);
	pid = fork();
	if (pid == 0)
		_exit(on_full_disk(at("small")));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct err err = {0};

	(void)state;
	return fs_remove_tree(root, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(atomic_write_and_read),
	    cmocka_unit_test(leavings_are_replaced),
	    cmocka_unit_test(temporaries_are_removed),
	    cmocka_unit_test(failed_write_leaves_nothing),
	    cmocka_unit_test(directories_and_removal),
	    cmocka_unit_test(links_are_switched),
	    cmocka_unit_test(copy_keeps_mode),
	    cmocka_unit_test(copy_to_another_file_system),
	    cmocka_unit_test(copy_keeps_holes),
	    cmocka_unit_test(copy_of_what_has_no_size),
	    cmocka_unit_test(link_that_leads_nowhere),
	    cmocka_unit_test(full_and_read_only),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
