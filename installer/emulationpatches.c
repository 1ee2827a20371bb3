// SPDX-License-Identifier: Apache-2.0
#include "emulationpatches.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* kubeadm applies patches of one component by the order of their names: '~' is behind all others.
 */
static int write_patch(const char *dir, const char *component, const char *minor, struct err *err)
{
	auto_free char *path = xasprintf("%s/%s~kubecask+json.json", dir, component);
	json_t *patch = json_pack("[{ss ss so}]", "op", "add", "path",
	                          "/spec/containers/0/command/-", "value",
	                          json_sprintf("--emulated-version=%s", minor));
	auto_free char *text = json_dumps(patch, JSON_COMPACT);
	int rc = fs_write_atomic(path, text, strlen(text), 0600, err);

	json_decref(patch);
	return rc;
}

/* kubeadm itself reads regular files alone, and follows links to them. */
static int copy_patches(const char *from, const char *dir, struct err *err)
{
	auto_strlist names = {0};

	if (fs_list(from, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf("%s/%s", from, names.v[i]);
		auto_free char *real = realpath(path, NULL);
		auto_free char *to = xasprintf("%s/%s", dir, names.v[i]);
		struct stat st;

		if (real && stat(real, &st) == 0 && S_ISREG(st.st_mode) &&
		    fs_copy(real, to, err) < 0)
			return -1;
	}
	return 0;
}

int emulation_patches_make(const char *dir, const char *minor, const char *user, struct err *err)
{
	static const char *const components[] = {"kube-apiserver", "kube-controller-manager",
	                                         "kube-scheduler"};

	if (fs_remove_tree(dir, err) < 0 || fs_mkdir_p(dir, 0700, err) < 0 ||
	    (*user && copy_patches(user, dir, err) < 0))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(components); i++)
		if (write_patch(dir, components[i], minor, err) < 0)
			return -1;
	return 0;
}

void emulation_patches_remove(const char *dir)
{
	struct err ignored = {0};

	fs_remove_tree(dir, &ignored);
}
