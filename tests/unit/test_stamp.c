/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "fs.h"
#include "stamp.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void changes_are_seen_once(void **state)
{
	char dir[] = "/tmp/stamp.XXXXXX";
	char a[64], link[64];
	struct stamp s = {0};
	struct err err = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(a, sizeof(a), "%s/a", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_false(stamp_changed(&s, link)); /* not there, as before */
	assert_int_equal(fs_write_atomic(a, "1", 1, 0600, &err), 0);
	assert_int_equal(fs_symlink_atomic(a, link, &err), 0);
	assert_true(stamp_changed(&s, link));
	assert_true(stamp_exists(&s));
	assert_false(stamp_changed(&s, link));
	assert_int_equal(fs_write_atomic(a, "2", 1, 0600, &err), 0); /* behind the link */
	assert_true(stamp_changed(&s, link));
	assert_false(stamp_changed(&s, link));
	assert_int_equal(unlink(a), 0);
	assert_true(stamp_changed(&s, link));
	assert_false(stamp_exists(&s));
	assert_false(stamp_changed(&s, link));
	assert_int_equal(fs_remove_tree(dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changes_are_seen_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
