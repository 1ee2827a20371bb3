// SPDX-License-Identifier: Apache-2.0
#include "commands.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = {"kubeadm", "kubelet", "kubectl", "ctr",     "etcdctl",
                                    "etcdutl", "lvscare", "crictl",  "kubecask"};

static char *link_path(const char *name)
{
	return xasprintf(DIR_BIN "/%s", name);
}

/* Where the link leads; this program itself belongs to no version. */
static char *target_of(const char *name)
{
	if (strcmp(name, "kubecask") == 0)
		return xstrdup(FILE_SELF);
	return xasprintf(DIR_CURRENT "/bin/%s", name);
}

static bool in_version(const char *dir, const char *name)
{
	auto_free char *path = xasprintf("%s/bin/%s", dir, name);

	return strcmp(name, "kubecask") == 0 || fs_exists(path);
}

static bool leads_to(const char *path, const char *target, bool whole)
{
	char now[256];
	ssize_t n = readlink(path, now, sizeof(now) - 1);

	if (n <= 0)
		return false;
	now[n] = '\0';
	return whole ? strcmp(now, target) == 0 : strncmp(now, target, strlen(target)) == 0;
}

static bool is_ours(const char *path)
{
	return leads_to(path, DIR_OPT "/", false);
}

/* Read-only, as far as can be seen without writing. */
static bool read_only(void)
{
	if (access(DIR_BIN, W_OK) < 0 && errno == ENOENT)
		return access("/usr/local", W_OK) < 0 && errno == EROFS;
	return access(DIR_BIN, W_OK) < 0 && errno == EROFS;
}

int commands_check(const char *dir, bool *writable, struct err *err)
{
	*writable = !read_only();
	if (!*writable)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = link_path(names[i]);

		if (in_version(dir, names[i]) && fs_exists(path) && !is_ours(path))
			return err_set(err, "%s: it is not from kubecask: remove it", path);
	}
	return 0;
}

int commands_place(const char *dir, bool *changed, struct err *err)
{
	if (fs_mkdir_p(DIR_BIN, 0755, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = link_path(names[i]), *target = target_of(names[i]);
		bool wanted = in_version(dir, names[i]);

		/* a link that is right already keeps its time of change */
		if (wanted ? leads_to(path, target, true) : !is_ours(path))
			continue;
		*changed = true;
		if (!wanted && unlink(path) < 0)
			return fs_fail(err, "remove", path);
		if (wanted && fs_symlink_atomic(target, path, err) < 0)
			return -1;
	}
	return 0;
}

void commands_remove(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = link_path(names[i]);

		if (is_ours(path))
			unlink(path);
	}
}

void commands_remove_leftovers(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = link_path(names[i]);

		fs_remove_temporaries(path);
	}
}

bool commands_link_is_ours(const char *path)
{
	char target[256];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return strncmp(target, DIR_OPT "/", strlen(DIR_OPT "/")) == 0;
}
