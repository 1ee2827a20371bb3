/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "clear.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "mounts.h"
#include "strbuf.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* A tmpfs of each test's own, in a mount namespace of this process: T/ours is what is cleared,
 * T/yours is the user's. */
static char *base;
static struct clear_report report;

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A file at T/name, with its directories. */
static char *file(const char *name)
{
	char *path = xasprintf("%s/%s", base, name);
	auto_free char *dir = xstrdup(path);
	struct err err = {0};

	*strrchr(dir, '/') = '\0';
	assert_int_equal(fs_mkdir_p(dir, 0755, &err), 0);
	write_text(path, name);
	return path;
}

static char *at(const char *name)
{
	return xasprintf("%s/%s", base, name);
}

static bool there(const char *name)
{
	auto_free char *path = at(name);

	return fs_exists(path);
}

static void bind(const char *from, const char *to)
{
	auto_free char *a = at(from), *b = at(to);

	assert_int_equal(mount(a, b, NULL, MS_BIND, NULL), 0);
}

static void new_tmpfs(const char *name)
{
	auto_free char *path = at(name);
	struct err err = {0};

	assert_int_equal(fs_mkdir_p(path, 0755, &err), 0);
	assert_int_equal(mount("tmpfs", path, "tmpfs", 0, NULL), 0);
}

static void clear(const char *name, const struct clear_opts *opts)
{
	auto_free char *path = at(name);

	clear_dir(path, opts, &report);
}

/* Why T/name is in that list; NULL: it is not. */
static const char *why(const json_t *list, const char *name)
{
	auto_free char *path = at(name);
	size_t i;
	json_t *e;

	json_array_foreach (list, i, e)
		if (strcmp(json_string_value(json_object_get(e, "what")), path) == 0)
			return json_string_value(json_object_get(e, "why"));
	return NULL;
}

static bool removed(const char *name)
{
	auto_free char *path = at(name);
	size_t i;
	json_t *e;

	json_array_foreach (report.removed, i, e)
		if (strcmp(json_string_value(e), path) == 0)
			return true;
	return false;
}

static int own_mounts(void **state)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	(void)state;
	if (unshare(uid ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) < 0)
		return -1;
	if (uid) {
		auto_free char *users = xasprintf("0 %d 1", (int)uid);
		auto_free char *groups = xasprintf("0 %d 1", (int)gid);

		write_text("/proc/self/setgroups", "deny");
		write_text("/proc/self/uid_map", users);
		write_text("/proc/self/gid_map", groups);
	}
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int begin(void **state)
{
	char dir[] = "/tmp/test_clear.XXXXXX";

	(void)state;
	if (!mkdtemp(dir) || mount("tmpfs", dir, "tmpfs", 0, NULL) < 0)
		return -1;
	base = xstrdup(dir);
	clear_report_init(&report);
	free(file("yours/disk/data"));
	return 0;
}

static int end(void **state)
{
	(void)state;
	clear_report_release(&report);
	umount2(base, MNT_DETACH);
	rmdir(base);
	free(base);
	return 0;
}

static void a_plain_tree_goes(void **state)
{
	(void)state;
	free(file("ours/a/b/c"));
	free(file("ours/d"));
	clear("ours", NULL);
	assert_false(there("ours"));
	assert_true(removed("ours"));
	assert_int_equal(json_array_size(report.stayed), 0);
	assert_int_equal(json_array_size(report.failed), 0);
}

static void nothing_there_is_nothing(void **state)
{
	(void)state;
	clear("none", NULL);
	clear("none/deeper", NULL);
	assert_int_equal(json_array_size(report.removed), 0);
	assert_int_equal(json_array_size(report.failed), 0);
}

/* Every kind of mount below a directory, by either way to learn a mount's id. */
static void mounts_below_stay(const struct clear_opts *opts)
{
	free(file("ours/sub/file"));
	free(file("ours/sub/bound/x"));
	free(file("ours/policy"));
	free(file("ours/own/y"));
	free(file("yours/policy"));
	bind("yours/disk", "ours/sub/bound"); /* same file system: same device */
	bind("yours/policy", "ours/policy");  /* a file over a file */
	new_tmpfs("ours/own");
	free(file("ours/own/precious"));
	clear("ours", opts);
	assert_true(there("yours/disk/data"));
	assert_true(there("ours/sub/bound/data"));
	assert_true(there("ours/policy"));
	assert_true(there("ours/own/precious"));
	assert_false(there("ours/sub/file"));
	assert_string_equal(why(report.stayed, "ours/sub/bound"), "a mount of yours");
	assert_string_equal(why(report.stayed, "ours/policy"), "a mount of yours");
	assert_string_equal(why(report.stayed, "ours/own"), "a mount of yours");
	assert_int_equal(json_array_size(report.failed), 0);
	assert_false(removed("ours"));
}

static void whatever_is_mounted_below_stays(void **state)
{
	(void)state;
	mounts_below_stay(NULL);
}

static void also_on_an_old_kernel(void **state)
{
	(void)state;
	mounts_below_stay(&(struct clear_opts){.without_statx = true});
}

static void the_root_of_a_file_system_is_emptied_and_stays(void **state)
{
	(void)state;
	new_tmpfs("ours");
	free(file("ours/lost+found/inode1"));
	free(file("ours/member/wal"));
	free(file("ours/deeper/lost+found/x"));
	clear("ours", NULL);
	assert_true(there("ours/lost+found/inode1"));
	assert_false(there("ours/member"));
	assert_false(there("ours/deeper"));
	assert_string_equal(why(report.stayed, "ours"),
	                    "a file system of its own, which was emptied");
	assert_int_equal(json_array_size(report.failed), 0);
}

static void a_bind_at_the_directory_is_emptied_and_stays(void **state)
{
	(void)state;
	free(file("ours/hidden"));
	bind("yours/disk", "ours");
	clear("ours", NULL);
	assert_true(there("ours"));
	assert_false(there("yours/disk/data"));
	assert_non_null(why(report.stayed, "ours"));
}

static void a_link_at_the_directory_stays_and_its_target_is_emptied(void **state)
{
	auto_free char *link = at("ours"), *target = at("yours/disk");
	auto_free char *want = xasprintf("a link of yours; %s, to which it leads, was emptied",
	                                 target);

	(void)state;
	assert_int_equal(symlink("yours/disk", link), 0);
	clear("ours", NULL);
	assert_true(there("ours"));
	assert_true(there("yours/disk"));
	assert_false(there("yours/disk/data"));
	assert_string_equal(why(report.stayed, "ours"), want);
	assert_int_equal(json_array_size(report.failed), 0);
}

static void links_that_lead_to_nothing_to_a_file_or_to_the_system(void **state)
{
	auto_free char *a = at("ours"), *b = at("second"), *c = at("third");

	(void)state;
	assert_int_equal(symlink("nowhere", a), 0);
	assert_int_equal(symlink("yours/disk/data", b), 0);
	assert_int_equal(symlink("/var/lib", c), 0);
	clear("ours", NULL);
	clear("second", NULL);
	clear("third", NULL);
	assert_non_null(strstr(why(report.stayed, "ours"), "cannot be opened"));
	assert_string_equal(why(report.stayed, "second"), "a link of yours to a file");
	assert_string_equal(why(report.failed, "third"),
	                    "a link to /var/lib, which is not ours to empty");
	assert_true(there("yours/disk/data"));
}

static void links_below_go_and_are_not_followed(void **state)
{
	auto_free char *link = NULL, *target = at("yours/disk");

	(void)state;
	free(file("ours/sub/file"));
	link = at("ours/sub/link");
	assert_int_equal(symlink(target, link), 0);
	clear("ours", NULL);
	assert_false(there("ours"));
	assert_true(there("yours/disk/data"));
}

static void only_what_is_named_goes(void **state)
{
	static const char *const names[] = {"member", NULL};
	const struct clear_opts opts = {.only = names, .others = "not etcd's"};

	(void)state;
	free(file("ours/member/snap/db"));
	free(file("ours/backup.db"));
	free(file("ours/mine/member"));
	clear("ours", &opts);
	assert_false(there("ours/member"));
	assert_true(there("ours/backup.db"));
	assert_true(there("ours/mine/member"));
	assert_string_equal(why(report.stayed, "ours/backup.db"), "not etcd's");
}

#define FS_IMMUTABLE 0x10

/* What cannot be removed is named, and all else goes. */
static void what_fails_is_named(void **state)
{
	auto_free char *path = NULL;
	int fd, flags = FS_IMMUTABLE;

	(void)state;
	free(file("ours/a"));
	path = file("ours/keep/b");
	free(file("ours/keep/c"));
	free(file("ours/z"));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ioctl(fd, _IOW('f', 2, long), &flags) < 0) { /* then by a file system without writing */
		auto_free char *dir = at("ours");

		close(fd);
		bind("ours", "ours");
		assert_int_equal(mount(NULL, dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
		clear("ours", NULL);
		assert_non_null(strstr(why(report.failed, "ours/keep/b"), "Read-only"));
		assert_false(removed("ours"));
		return;
	}
	clear("ours", NULL);
	assert_string_equal(why(report.failed, "ours/keep/b"), strerror(EPERM));
	assert_false(there("ours/keep/c"));
	assert_false(there("ours/a"));
	assert_false(there("ours/z"));
	assert_false(removed("ours"));
	assert_int_equal(json_array_size(report.removed), 0);
	flags = 0;
	assert_int_equal(ioctl(fd, _IOW('f', 2, long), &flags), 0);
	close(fd);
}

static void files_one_by_one(void **state)
{
	auto_free char *plain = file("ours/plain"), *bound = file("ours/bound");
	auto_free char *none = at("ours/none");

	(void)state;
	bind("yours/disk/data", "ours/bound");
	clear_file(plain, &report);
	clear_file(bound, &report);
	clear_file(none, &report);
	assert_false(there("ours/plain"));
	assert_true(there("yours/disk/data"));
	assert_true(removed("ours/plain"));
	assert_string_equal(why(report.stayed, "ours/bound"), "a mount of yours");
	assert_int_equal(json_array_size(report.failed), 0);
}

static void many_failures_are_counted(void **state)
{
	const json_t *last;

	(void)state;
	for (int i = 0; i < CLEAR_FAILURES + 7; i++) {
		auto_free char *name = xasprintf("file%d", i);

		clear_failed(&report, name, "%s", "no");
	}
	assert_int_equal(json_array_size(report.failed), CLEAR_FAILURES);
	last = json_array_get(report.failed, CLEAR_FAILURES - 1);
	assert_int_equal(json_integer_value(json_object_get(last, "more")), 7);
}

static void whose_mount_it_is(void **state)
{
	static const char text[] =
	    "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
	    "2 1 0:9 / /data/kubelet/pods/u/volumes/kubernetes.io~projected/t rw - tmpfs tmpfs rw\n"
	    "3 1 8:1 / /data/kubelet/pods/u/volume-subpaths/v/c/0 rw shared:1 - ext4 /dev/sda rw\n"
	    "4 1 8:1 /home /data/kubelet/mine rw - ext4 /dev/sda rw\n"
	    "5 1 8:1 / /data/kubelet/plugins/kubernetes.io/csi/d/x/globalmount rw - ext4 x rw\n"
	    "6 1 0:9 / /run/containerd/io.containerd.runtime.v2.task/k8s.io/1/rootfs rw - overlay "
	    "o rw\n"
	    "7 1 0:9 / /run/containerd/mine rw - tmpfs tmpfs rw\n"
	    "8 1 8:2 / /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs rw - ext4 x rw\n"
	    "9 1 0:4 net:[1] /run/netns/cni-1 rw - nsfs nsfs rw\n"
	    "10 1 0:4 net:[2] /run/netns/mine rw - nsfs nsfs rw\n"
	    "11 1 8:3 / /var/lib/kubecask/netfilter rw - overlay o rw\n"
	    "12 1 8:3 / /data/kubelet/pods/a\\040b/volumes/x rw - tmpfs t rw\n"
	    "13 1 8:3 / /data/kubelet/pods rw - ext4 x rw\n";
	static const char *const want[] = {
	    "/data/kubelet/pods/u/volumes/kubernetes.io~projected/t",
	    "/data/kubelet/pods/u/volume-subpaths/v/c/0",
	    "/data/kubelet/plugins/kubernetes.io/csi/d/x/globalmount",
	    "/run/containerd/io.containerd.runtime.v2.task/k8s.io/1/rootfs",
	    "/run/netns/cni-1",
	    "/var/lib/kubecask/netfilter",
	    "/data/kubelet/pods/a b/volumes/x",
	};
	struct mount_places p = {.kubelet = xstrdup("/data/kubelet"),
	                         .containerd_lib = xstrdup("/var/lib/containerd"),
	                         .containerd_run = xstrdup("/run/containerd"),
	                         .netns = xstrdup("/run/netns"),
	                         .state = xstrdup("/var/lib/kubecask")};
	auto_strlist made = {0};

	(void)state;
	mounts_made(text, &p, &made);
	assert_int_equal(made.n, ARRAY_SIZE(want));
	for (size_t i = 0; i < made.n; i++)
		assert_string_equal(made.v[i], want[i]);
	mount_places_release(&p);
}

/* A place that does not exist has no mounts: "" is not the root directory. */
static void no_place_no_mounts(void **state)
{
	struct mount_places p = {.kubelet = xstrdup(""),
	                         .containerd_lib = xstrdup(""),
	                         .containerd_run = xstrdup(""),
	                         .netns = xstrdup(""),
	                         .state = xstrdup("")};
	auto_strlist made = {0};

	(void)state;
	mounts_made("1 0 8:1 / /pods/u/volumes/x rw - ext4 /dev/sda rw\n", &p, &made);
	assert_int_equal(made.n, 0);
	mount_places_release(&p);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_plain_tree_goes),
	    CASE(nothing_there_is_nothing),
	    CASE(whatever_is_mounted_below_stays),
	    CASE(also_on_an_old_kernel),
	    CASE(the_root_of_a_file_system_is_emptied_and_stays),
	    CASE(a_bind_at_the_directory_is_emptied_and_stays),
	    CASE(a_link_at_the_directory_stays_and_its_target_is_emptied),
	    CASE(links_that_lead_to_nothing_to_a_file_or_to_the_system),
	    CASE(links_below_go_and_are_not_followed),
	    CASE(only_what_is_named_goes),
	    CASE(what_fails_is_named),
	    CASE(files_one_by_one),
	    CASE(many_failures_are_counted),
	    cmocka_unit_test(whose_mount_it_is),
	    cmocka_unit_test(no_place_no_mounts),
	};

	return cmocka_run_group_tests(tests, own_mounts, NULL);
}
