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

static void finds_the_series(void **state)
{
	static const char series[] = "# from to dir\n1.30 1.36 old\n\n1.37 1.37 new\n";
	struct err err = {0};
	auto_free char *a = series_find("series", series, "v1.37.2", &err);
	auto_free char *b = series_find("series", series, "v1.33.13", &err);

	(void)state;
	assert_string_equal(a, "new");
	assert_string_equal(b, "old");
	assert_null(series_find("series", series, "v1.38.0", &err));
	assert_string_equal(err.msg, "series has no patches for v1.38.0");
	assert_null(series_find("series", series, "v1.29.9", &err));
	assert_null(series_find("series", "1.30 1.36\n", "v1.30.0", &err));
	assert_string_equal(err.msg, "series:1: not of the form \"from to directory\"");
	assert_null(series_find("series", "\n1.30 1.36 ../x\n", "v1.30.0", &err));
	assert_string_equal(err.msg, "series:2: not of the form \"from to directory\"");
}

static void write_file(const char *dir, const char *name, const char *text)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	struct err err = {0};

	assert_int_equal(fs_write_atomic(path, text, strlen(text), 0644, &err), 0);
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
	expect = xasprintf("%s does not apply to two.go", patch);
	assert_string_equal(err.msg, expect);
	assert_int_equal(fs_read(one, 100, &text, &err), 0);
	assert_string_equal(text.buf, "old\n"); /* nothing half patched */

	write_file(dir, "two.go", "old\n");
	assert_int_equal(patch_apply(dir, patch, &err), 0);
	strbuf_reset(&text);
	assert_int_equal(fs_read(one, 100, &text, &err), 0);
	assert_string_equal(text.buf, "new\n");
	assert_int_equal(fs_remove_tree(dir, &err), 0);
}

static void lists_sorted(void **state)
{
	char dir[] = "/tmp/test-patch-XXXXXX";
	auto_strlist found = {0};
	struct err err = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	write_file(dir, "0002-b.patch", "");
	write_file(dir, "0001-a.patch", "");
	write_file(dir, "README.md", "");
	write_file(dir, "0001-a.patch.orig", "");
	assert_int_equal(patch_list(dir, &found, &err), 0);
	assert_int_equal(found.n, 2);
	assert_non_null(strstr(found.v[0], "/0001-a.patch"));
	assert_int_equal(fs_remove_tree(dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_the_series),
	    cmocka_unit_test(names_patch_and_file),
	    cmocka_unit_test(lists_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
