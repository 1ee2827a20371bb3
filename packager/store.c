// SPDX-License-Identifier: Apache-2.0
#include "store.h"

#include "conf.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct record {
	char *name, *path;
	size_t step_len; /* of the name: up to the key */
	struct timespec used;
};

int store_open(const char *work, struct err *err)
{
	auto_free char *path = xasprintf("%s/lock", work);
	auto_close int fd = -1;

	if (fs_mkdir_p(work, 0755, err) < 0)
		return -1;
	/* Not O_CLOEXEC: compilers that outlive a killed packager hold it, so that the next one
	 * waits for them instead of removing what they read. */
	fd = open(path, O_RDWR | O_CREAT, 0644);
	if (fd < 0)
		return err_set(err, "%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		fprintf(stderr, "  waiting for another kubecask-pack, or what it started, in %s\n",
		        work);
		if (flock(fd, LOCK_EX) < 0)
			return err_set(err, "%s: %s", path, strerror(errno));
	}
	return steal_fd(&fd);
}

/* By step, then the latest first. */
static int by_use(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	int rc = strncmp(x->name, y->name, x->step_len > y->step_len ? x->step_len : y->step_len);

	if (rc)
		return rc;
	if (x->used.tv_sec != y->used.tv_sec)
		return x->used.tv_sec < y->used.tv_sec ? 1 : -1;
	return x->used.tv_nsec < y->used.tv_nsec ? 1 : -1;
}

static int load_records(const char *dir, struct record **out, size_t *n, struct err *err)
{
	auto_strlist names = {0};

	if (fs_list(dir, &names, err) < 0)
		return -1;
	*out = xcalloc(names.n + 1, sizeof(**out));
	for (size_t i = 0; i < names.n; i++) {
		struct record *r = &(*out)[*n];
		const char *dash = strrchr(names.v[i], '-');
		struct stat st;

		if (!dash)
			continue;
		r->path = xasprintf("%s/%s", dir, names.v[i]);
		if (lstat(r->path, &st) < 0) {
			mem_auto_free(&r->path);
			continue;
		}
		r->name = xstrdup(names.v[i]);
		r->step_len = (size_t)(dash - names.v[i]) + 1;
		r->used = st.st_mtim;
		(*n)++;
	}
	qsort(*out, *n, sizeof(**out), by_use);
	return 0;
}

/* Removes superfluous records; what the others name goes to wanted. */
static void sort_out(const struct record *r, size_t n, size_t keep, struct strlist *wanted)
{
	static const char *const keys[] = {"file", "tree", "licences"};

	for (size_t i = 0, same = 0; i < n; i++) {
		auto_conf c = {0};
		struct err ignored = {0};

		same = i && r[i].step_len == r[i - 1].step_len &&
		               !strncmp(r[i].name, r[i - 1].name, r[i].step_len)
		           ? same + 1
		           : 0;
		if (same >= keep || conf_load(r[i].path, &c, &ignored) < 0) {
			unlink(r[i].path);
			continue;
		}
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			const char *path = conf_get(&c, keys[k]);
			const char *slash = path ? strrchr(path, '/') : NULL;

			if (slash)
				strlist_add(wanted, slash + 1);
		}
	}
}

static int remove_others(const char *work, const char *dir, const struct strlist *wanted,
                         struct err *err)
{
	auto_free char *path = xasprintf("%s/%s", work, dir);
	auto_strlist names = {0};

	if (!fs_exists(path))
		return 0;
	if (fs_list(path, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *full = xasprintf("%s/%s", path, names.v[i]);

		if (!strlist_has(wanted, names.v[i]) && fs_remove_tree(full, err) < 0)
			return -1;
	}
	return 0;
}

int store_prune(const char *work, size_t keep, struct err *err)
{
	static const char *const dirs[] = {"bin", "tree", "blobs"};
	auto_free char *records = xasprintf("%s/records", work);
	auto_free struct record *r = NULL;
	auto_strlist wanted = {0};
	size_t n = 0;
	int rc = load_records(records, &r, &n, err);

	if (rc == 0)
		sort_out(r, n, keep, &wanted);
	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(dirs); i++)
		rc = remove_others(work, dirs[i], &wanted, err);
	for (size_t i = 0; i < n; i++) {
		free(r[i].name);
		free(r[i].path);
	}
	return rc;
}
