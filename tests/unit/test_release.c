/* links: packager */
// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "release.h"

#include <stdlib.h>
#include <string.h>

static void knows_versions(void **state)
{
	static const char *const good[] = {"v1.37.2", "v1.0.0", "v10.20.30"};
	static const char *const bad[] = {"",         "1.37.2",      "v1.37",      "v1.37.",
	                                  "v1.37.2 ", "v1.37.2-rc1", "v01.37.2",   "v1.37.2.1",
	                                  "v1..2",    "vv1.2.3",     "v1.2.99999", "v1.2.+3"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(release_version_ok(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(release_version_ok(bad[i]));
}

static void write_conf(const char *dir, const char *name, const char *text)
{
	auto_free char *path = xasprintf("%s/%s.conf", dir, name);
	struct err err = {0};

	assert_int_equal(fs_write_atomic(path, text, strlen(text), 0644, &err), 0);
}

static void loads_a_release(void **state)
{
	char dir[] = "/tmp/test-release-XXXXXX";
	struct release r;
	struct err err = {0};
	auto_free char *expect = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	unsetenv("SOURCE_DATE_EPOCH");
	write_conf(dir, "v1.37", "etcd = v3.7.0\nepoch = 1000\n");
	assert_int_equal(release_load(dir, "v1.37.2", &r, &err), 0);
	assert_int_equal(r.epoch, 1000);
	assert_string_equal(conf_get(&r.vars, "etcd-version"), "v3.7.0");
	assert_string_equal(conf_get(&r.vars, "kubernetes-minor"), "37");
	assert_string_equal(conf_get(&r.vars, "kubernetes-major"), "1");
	release_release(&r);

	setenv("SOURCE_DATE_EPOCH", "77", 1);
	assert_int_equal(release_load(dir, "v1.37.2", &r, &err), 0);
	assert_int_equal(r.epoch, 77);
	release_release(&r);
	setenv("SOURCE_DATE_EPOCH", "soon", 1);
	assert_int_equal(release_load(dir, "v1.37.2", &r, &err), -1);
	assert_string_equal(err.msg, "SOURCE_DATE_EPOCH: \"soon\" is no time stamp");
	unsetenv("SOURCE_DATE_EPOCH");

	write_conf(dir, "v1.37.3", "etcd = v3.7.1\n");
	assert_int_equal(release_load(dir, "v1.37.2", &r, &err), 0);
	assert_string_equal(conf_get(&r.vars, "etcd-version"), "v3.7.0");
	release_release(&r);
	assert_int_equal(release_load(dir, "v1.37.3", &r, &err), 0);
	assert_string_equal(conf_get(&r.vars, "etcd-version"), "v3.7.1");
	assert_string_equal(conf_get(&r.vars, "etcd-tools-version"), "v3.7.1");
	assert_int_equal(r.epoch, 1000);
	release_release(&r);
	write_conf(dir, "v1.37.3", "etcd-tools = v3.7.9\n");
	assert_int_equal(release_load(dir, "v1.37.3", &r, &err), 0);
	assert_string_equal(conf_get(&r.vars, "etcd-version"), "v3.7.0");
	assert_string_equal(conf_get(&r.vars, "etcd-tools-version"), "v3.7.9");
	release_release(&r);

	assert_int_equal(release_load(dir, "v1.29.0", &r, &err), -1);
	expect = xasprintf("Kubernetes v1.29.0: %s has no file for this minor; it has: v1.37", dir);
	assert_string_equal(err.msg, expect);
	assert_int_equal(fs_remove_tree(dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(knows_versions),
	    cmocka_unit_test(loads_a_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
