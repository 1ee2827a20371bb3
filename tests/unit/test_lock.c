/* links: packager */
// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include "err.h"
#include "fs.h"
#include "lock.h"
#include "mem.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char text[] = "# comment\n"
			   "deb libc6 2.36 sha256:aa\n"
			   "module k8s.io/kubernetes v1.37.2 h1:xyz=\n";

static void checks_lines(void **state)
{
	auto_lock l = {0};
	struct err err = {0};
	auto_free char *version = NULL;

	(void)state;
	assert_int_equal(lock_parse("r/v1.lock", text, strlen(text), &l, &err), 0);
	assert_int_equal(lock_check(&l, "deb libc6 2.36 sha256:aa", &err), 0);
	assert_int_equal(lock_check(&l, "deb libc6 2.36 sha256:bb", &err), -1);
	assert_string_equal(err.msg,
	                    "deb libc6 is 2.36 sha256:bb, but r/v1.lock has 2.36 "
	                    "sha256:aa: it may be damaged, or not be what it says; find out "
	                    "why before --update-lock takes it");
	assert_int_equal(lock_check(&l, "deb libc 2.36 sha256:aa", &err), -1);
	assert_string_equal(err.msg,
	                    "r/v1.lock has no entry \"deb libc\"; --update-lock writes it");
	version = lock_version(&l, "module", "k8s.io/kubernetes");
	assert_string_equal(version, "v1.37.2");
	assert_null(lock_version(&l, "module", "k8s.io"));
}

static void refuses_other_forms(void **state)
{
	static const char *const bad[] = {"a b c\n",    "a b c d e\n", "a  b c\n",
	                                  " a b c d\n", "a b c d \n",  "a b c \x01\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct lock l = {0};
		struct err err = {0};

		assert_int_equal(lock_parse("l", bad[i], strlen(bad[i]), &l, &err), -1);
		assert_string_equal(err.msg, "l:1: not of the form \"kind name version hash\"");
	}
}

static void saves_sorted_and_once(void **state)
{
	char dir[] = "/tmp/test-lock-XXXXXX";
	auto_free char *path = NULL;
	auto_lock l = {0}, missing = {0};
	auto_strbuf saved = {0};
	struct err err = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/v.lock", dir);
	assert_int_equal(lock_load(path, &missing, &err), 0); /* not there: empty */
	assert_int_equal(missing.n, 0);
	l.path = xstrdup(path);
	lock_add(&l, "tool go go1 -");
	lock_add(&l, "deb b 1 x");
	lock_add(&l, "tool go go1 -");
	assert_int_equal(lock_save(&l, &err), 0);
	assert_int_equal(fs_read(path, 4096, &saved, &err), 0);
	assert_non_null(strstr(saved.buf, "\ndeb b 1 x\ntool go go1 -\n"));
	assert_null(strstr(strstr(saved.buf, "tool") + 1, "tool"));
	assert_int_equal(fs_remove_tree(dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(checks_lines),
	    cmocka_unit_test(refuses_other_forms),
	    cmocka_unit_test(saves_sorted_and_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
