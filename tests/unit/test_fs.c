/* links: common */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
	    cmocka_unit_test(failed_write_leaves_nothing),
	    cmocka_unit_test(directories_and_removal),
	    cmocka_unit_test(links_are_switched),
	    cmocka_unit_test(copy_keeps_mode),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
