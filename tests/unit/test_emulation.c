/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* Which minor version API servers work as, and kubeadm's patches for that. */
#include "emulation.h"

#include "emulationpatches.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "preflight.h"
#include "strbuf.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static json_t *api(const char *version, const char *emulates)
{
	json_t *a = json_pack("{ss}", "version", version);

	if (*emulates)
		json_object_set_new(a, "emulates", json_string(emulates));
	return a;
}

static void works_as(void **state)
{
	static const struct {
		const char *version, *emulates, *minor;
		bool on;
	} t[] = {
	    {"v1.37.2", "1.36", "1.36", true},
	    {"v1.37.2", "1.37", "1.37", false},
	    {"v1.30.4", "", "1.30", false},
	    {"", "1.36", "1.36", false},
	    {"", "", "", false},
	    {"v1.37.2", "x", "", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		json_t *a = api(t[i].version, t[i].emulates);
		char minor[MINOR_MAX];

		emulation_minor(a, minor);
		assert_string_equal(minor, t[i].minor);
		assert_int_equal(emulation_is_on(a), t[i].on);
		json_decref(a);
	}
}

/* Two masters and a worker, whose API server is that of another machine. */
static void wanted(const char *a, const char *a_works, const char *b, const char *b_works,
                   const char *to, const char *want)
{
	json_t *cluster[] = {json_pack("{so}", "apiserver", api(a, a_works)),
	                     json_pack("{so}", "apiserver", api(b, b_works)),
	                     json_pack("{so}", "apiserver", api("v1.37.2", "1.37"))};
	struct candidate c[] = {{.master = true, .cluster = cluster[0]},
	                        {.master = true, .cluster = cluster[1]},
	                        {.cluster = cluster[2]}};
	char minor[MINOR_MAX];

	emulation_wanted(c, ARRAY_SIZE(c), to, minor);
	assert_string_equal(minor, want);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		json_decref(cluster[i]);
}

static void which_one(void **state)
{
	(void)state;
	wanted("v1.36.1", "1.36", "v1.36.1", "1.36", "v1.37.2", "1.36");
	wanted("v1.37.2", "1.36", "v1.36.1", "1.36", "v1.37.2", "1.36"); /* half way */
	wanted("v1.37.1", "1.36", "v1.37.1", "1.36", "v1.37.2", "1.36"); /* held, a later bundle */
	wanted("v1.37.2", "1.37", "v1.37.2", "1.36", "v1.37.2", "");     /* commit has begun */
	wanted("v1.37.1", "1.37", "v1.37.1", "1.37", "v1.37.2", "");     /* of the same minor */
	wanted("v1.32.1", "1.32", "v1.32.1", "1.32", "v1.33.1", "");     /* not proved */
	wanted("", "", "v1.36.1", "1.36", "v1.37.2", "1.36");            /* one does not answer */
	wanted("", "", "", "", "v1.37.2", "");
	wanted("v1.36.1", "1.36", "v1.36.1", "1.36", "latest", "");
}

static void file_is(const char *dir, const char *name, const char *want)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	auto_strbuf text = {0};
	struct err err = {0};

	assert_int_equal(fs_read(path, 1000, &text, &err), 0);
	assert_string_equal(strbuf_str(&text), want);
}

#define PATCH                                                         \
	"[{\"op\":\"add\",\"path\":\"/spec/containers/0/command/-\"," \
	"\"value\":\"--emulated-version=1.36\"}]"

static void patches(void **state)
{
	char base[] = "/tmp/kubecask-test.XXXXXX";
	auto_strlist names = {0};
	struct err err = {0};

	(void)state;
	assert_non_null(mkdtemp(base));
	auto_free char *dir = xasprintf("%s/emulation", base);
	auto_free char *user = xasprintf("%s/user", base);
	auto_free char *one = xasprintf("%s/etcd+merge.yaml", user);
	auto_free char *old = xasprintf("%s/old", dir);

	assert_int_equal(fs_mkdir_p(user, 0700, &err), 0);
	assert_int_equal(fs_mkdir_p(old, 0700, &err), 0); /* of a run that was cut off */
	assert_int_equal(fs_write_atomic(one, "x", 1, 0600, &err), 0);
	assert_int_equal(emulation_patches_make(dir, "1.36", user, &err), 0);
	file_is(dir, "etcd+merge.yaml", "x");
	file_is(dir, "kube-apiserver~kubecask+json.json", PATCH);
	file_is(dir, "kube-controller-manager~kubecask+json.json", PATCH);
	file_is(dir, "kube-scheduler~kubecask+json.json", PATCH);
	assert_int_equal(fs_list(dir, &names, &err), 0);
	assert_int_equal(names.n, 4);
	emulation_patches_remove(dir);
	assert_false(fs_exists(dir));
	/* the user's are not there any more: kubeadm must not go on without them */
	assert_int_equal(fs_remove_tree(user, &err), 0);
	assert_int_equal(emulation_patches_make(dir, "1.36", user, &err), -1);
	assert_non_null(strstr(err.msg, user));
	assert_int_equal(fs_remove_tree(base, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(works_as),
	    cmocka_unit_test(which_one),
	    cmocka_unit_test(patches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
