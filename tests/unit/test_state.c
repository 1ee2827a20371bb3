/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* The state and the journal of a node, in a mount namespace with a /var/lib of its own. */
#include "unit.h"

#include "err.h"
#include "fs.h"
#include "journal.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "state.h"
#include "strbuf.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define STATE DIR_STATE "/state.json"
#define STEPS DIR_STATE "/steps.jsonl"

static void put(const char *path, const char *text)
{
	struct err err = {0};

	assert_int_equal(fs_write_atomic(path, text, strlen(text), 0600, &err), 0);
}

static void append(const char *path, const char *text)
{
	auto_close int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
}

static const char *now(const char *key)
{
	static char value[64];
	json_t *state = state_load();

	snprintf(value, sizeof(value), "%s", json_text(state, key));
	json_decref(state);
	return value;
}

static void members_are_changed(void **state)
{
	struct err err = {0};

	(void)state;
	assert_string_equal(now("k8s"), "");
	assert_int_equal(state_set_string("k8s", "v1", &err), 0);
	assert_int_equal(
	    state_merge(json_pack("{ss sn ss}", "role", "worker", "k8s", "bundle", "b"), &err), 0);
	assert_string_equal(now("k8s"), "");
	assert_string_equal(now("role"), "worker");
	assert_int_equal(state_set("role", NULL, &err), 0);
	assert_string_equal(now("role"), "");
	assert_string_equal(now("bundle"), "b");
}

/* Any kind of damage: the copy is used, and the damaged file is kept. */
static void copy_is_used(void **state)
{
	static const char *const damages[] = {
	    "", "{", "[]", "{\"bundle\":\"b\"", "\xff\xfe", "{\"a\":1,\"a\":2}", "null"};
	struct err err = {0};
	auto_strbuf kept = {0};
	json_t *read = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		put(STATE, damages[i]);
		assert_int_equal(state_read(&read, &err), 0);
		assert_string_equal(err.msg, "");
		assert_string_equal(json_text(read, "bundle"), "b");
		json_decref(read);
		assert_int_equal(state_set_string("k8s", "v1", &err), 0);
		strbuf_reset(&kept);
		assert_int_equal(fs_read(STATE ".damaged", 100, &kept, &err), 0);
		assert_string_equal(strbuf_str(&kept), damages[i]);
		unlink(STATE);
		assert_string_equal(now("k8s"), "v1");
		assert_int_equal(state_set_string("k8s", "v1", &err), 0);
	}
}

static void damage_of_both_is_told(void **state)
{
	struct err err = {0};
	json_t *read = NULL, *loaded;
	auto_strbuf text = {0};

	(void)state;
	put(STATE, "{\n\"a\": x");
	put(STATE ".bak", "");
	assert_int_equal(state_read(&read, &err), -1);
	assert_null(read);
	assert_non_null(strstr(err.msg, STATE ": damaged, line 2: "));
	assert_non_null(strstr(err.msg, "put the file back from a backup, or reset the machine"));
	loaded = state_load();
	assert_string_equal(json_text(loaded, "damaged"), err.msg);
	json_decref(loaded);
	assert_int_equal(state_set_string("k8s", "v2", &err), -1);
	assert_int_equal(fs_read(STATE, 100, &text, &err), 0);
	assert_string_equal(strbuf_str(&text), "{\n\"a\": x"); /* not overwritten */
	unlink(STATE);
	assert_int_equal(state_read(&read, &err), -1); /* a copy without a file is a trace too */
	assert_non_null(strstr(err.msg, STATE ".bak: damaged"));
	unlink(STATE ".bak");
	assert_int_equal(state_read(&read, &err), 0);
	assert_int_equal(json_object_size(read), 0);
	json_decref(read);
}

static void steps_are_kept(void **state)
{
	struct err err = {0};
	json_t *steps = NULL;

	(void)state;
	assert_int_equal(journal_step("r1", "1", "stage", "begin", NULL, &err), 0);
	append(STEPS, "{\"run\":\"r1\",\"cut\":"); /* by a crash */
	assert_int_equal(
	    journal_step("r1", "1", "stage", "done", json_pack("{ss}", "current", "v1"), &err), 0);
	assert_int_equal(journal_step("r2", "1", "stage", "begin", NULL, &err), 0);
	assert_int_equal(journal_read("r1", &steps, &err), 0);
	assert_int_equal(json_array_size(steps), 2);
	assert_string_equal(json_text(json_array_get(steps, 1), "event"), "done");
	assert_string_equal(
	    json_text(json_object_get(json_array_get(steps, 1), "before"), "current"), "v1");
	json_decref(steps);
	assert_int_equal(journal_read(NULL, &steps, &err), 0);
	assert_int_equal(json_array_size(steps), 3);
	json_decref(steps);
}

/* A large journal is put aside and still read. */
static void steps_do_not_grow_for_ever(void **state)
{
	struct err err = {0};
	json_t *steps = NULL;

	(void)state;
	assert_int_equal(truncate(STEPS, (4 << 20) + 1), 0);
	assert_int_equal(journal_step("r3", "1", "images", "begin", NULL, &err), 0);
	assert_true(fs_exists(STEPS ".1"));
	assert_int_equal(journal_read("r3", &steps, &err), 0);
	assert_int_equal(json_array_size(steps), 1);
	json_decref(steps);
	assert_int_equal(journal_read("r2", &steps, &err), 0);
	assert_int_equal(json_array_size(steps), 1);
	json_decref(steps);
}

static void full_disk_is_told(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(mount("none", "/var/lib", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(journal_step("r4", "1", "stage", "begin", NULL, &err), -1);
	assert_non_null(strstr(err.msg, STEPS ": Read-only file system (the file system at "
	                                      "/var/lib has "));
	assert_int_equal(state_set_string("k8s", "v3", &err), -1);
	assert_non_null(strstr(err.msg, "Read-only file system"));
}

static void write_map(const char *path, const char *text)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	(void)!write(fd, text, strlen(text));
}

static int own_var_lib(void **state)
{
	auto_free char *uids = xasprintf("0 %d 1", (int)getuid());
	bool root = geteuid() == 0;

	(void)state;
	if (unshare(CLONE_NEWNS | (root ? 0 : CLONE_NEWUSER)) < 0)
		return -1;
	if (!root)
		write_map("/proc/self/uid_map", uids);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mount("tmpfs", "/var/lib", "tmpfs", 0, "size=16m");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_are_changed),        cmocka_unit_test(copy_is_used),
	    cmocka_unit_test(damage_of_both_is_told),     cmocka_unit_test(steps_are_kept),
	    cmocka_unit_test(steps_do_not_grow_for_ever), cmocka_unit_test(full_disk_is_told),
	};

	return cmocka_run_group_tests(tests, own_var_lib, NULL);
}
