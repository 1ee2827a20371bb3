/* links: packager */
// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "patch.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int select_from(const char *text, const char *version, struct strlist *out, struct err *err)
{
	strlist_release(out);
	return series_select("series", text, "dir", version, out, err);
}

static void selects_by_minor(void **state)
{
	static const char series[] = "# from to path\n1.30 1.37 overlay\n\n1.30 1.36 old/1.patch\n"
				     "1.37 1.37 new/1.patch\n1.30 1.37 2.patch\n";
	auto_strlist found = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(select_from(series, "v1.37.2", &found, &err), 0);
	assert_int_equal(found.n, 3);
	assert_string_equal(found.v[0], "dir/overlay");
	assert_string_equal(found.v[1], "dir/new/1.patch");
	assert_string_equal(found.v[2], "dir/2.patch");
	assert_int_equal(select_from(series, "v1.33.13", &found, &err), 0);
	assert_string_equal(found.v[1], "dir/old/1.patch");
	assert_true(patch_is_patch(found.v[1]));
	assert_false(patch_is_patch(found.v[0]));
}

static void selects_by_patch_release(void **state)
{
	static const char series[] = "1.34.1 1.34.3 a\n1.34 1.34.0 b\n1.34.4 1.34 c\n";
	static const char *const expect[] = {"dir/b", "dir/a", "dir/a", "dir/a", "dir/c", "dir/c"};
	auto_strlist found = {0};
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expect); i++) {
		auto_free char *version = xasprintf("v1.34.%zu", i);

		assert_int_equal(select_from(series, version, &found, &err), 0);
		assert_int_equal(found.n, 1);
		assert_string_equal(found.v[0], expect[i]);
	}
}

static void refuses_by_name(void **state)
{
	static const char *const bad[] = {
	    "\n1.30 1.36\n", "\n1.30 1.36 ../x\n", "\n1.30 1.36 /x\n", "\n1.36 1.30 x\n",
	    "\n1.30 x y\n",  "\n1.30 1.30 x y\n",  "\n1.30.x 1.31 y\n"};
	auto_strlist found = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(select_from("1.30 1.31 a\n1.32 1.37 b\n", "v1.38.0", &found, &err), -1);
	assert_string_equal(err.msg, "series has no patches for v1.38.0, only for 1.30 to 1.37");
	assert_int_equal(select_from("1.30 1.31 a\n1.32 1.37 b\n", "v1.29.9", &found, &err), -1);
	assert_int_equal(select_from("# none\n", "v1.30.0", &found, &err), -1);
	assert_string_equal(err.msg, "series has no patches for v1.30.0");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(select_from(bad[i], "v1.30.0", &found, &err), -1);
		assert_string_equal(err.msg, "series:2: not of the form \"from to path\"");
	}
}

static void write_file(const char *dir, const char *name, const char *text)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	struct err err = {0};

	assert_int_equal(fs_write_atomic(path, text, strlen(text), 0644, &err), 0);
}

static void unlink_in(const char *dir, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(unlink(path), 0);
}

static const char two_files[] = "--- a/one.go\n+++ b/one.go\n@@ -1 +1 @@\n-old\n+new\n"
				"--- a/two.go\n+++ b/two.go\n@@ -1 +1 @@\n-old\n+new\n";

static void names_patch_and_file(void **state)
{
	char dir[] = "/tmp/test-patch-XXXXXX";
	auto_free char *patch = NULL, *one = NULL, *expect = NULL;
	auto_strbuf text = {0};
	struct err err = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	patch = xasprintf("%s/0001-x.patch", dir);
	one = xasprintf("%s/one.go", dir);
	write_file(dir, "0001-x.patch", two_files);
	write_file(dir, "one.go", "old\n");
	write_file(dir, "two.go", "something else\n");
	assert_int_equal(patch_apply(dir, patch, &err), -1);
	expect = xasprintf("%s does not apply to two.go (hunk 1)", patch);
	assert_string_equal(err.msg, expect);
	assert_int_equal(fs_read(one, 100, &text, &err), 0);
	assert_string_equal(text.buf, "old\n"); /* nothing half patched */

	write_file(dir, "one.go", "something else\n");
	write_file(dir, "two.go", "old\n");
	assert_int_equal(patch_apply(dir, patch, &err), -1);
	assert_non_null(strstr(err.msg, "does not apply to one.go (hunk 1)"));
	write_file(dir, "one.go", "old\n");
	unlink_in(dir, "two.go");
	assert_int_equal(patch_apply(dir, patch, &err), -1);
	assert_non_null(strstr(err.msg, "does not apply to two.go, which is not there"));

	write_file(dir, "two.go", "old\n");
	assert_int_equal(patch_apply(dir, patch, &err), 0);
	strbuf_reset(&text);
	assert_int_equal(fs_read(one, 100, &text, &err), 0);
	assert_string_equal(text.buf, "new\n");
	assert_int_equal(fs_remove_tree(dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(selects_by_minor),
	    cmocka_unit_test(selects_by_patch_release),
	    cmocka_unit_test(refuses_by_name),
	    cmocka_unit_test(names_patch_and_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
