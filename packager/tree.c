// SPDX-License-Identifier: Apache-2.0
#include "tree.h"

#include "digest.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "proc.h"
#include "strbuf.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE_MAX (4u << 20)

static bool is_test(const char *path)
{
	size_t len = strlen(path);

	return len > 8 && !strcmp(path + len - 8, "_test.go");
}

int tree_copy(const char *from, const char *to, struct err *err)
{
	auto_free char *content = xasprintf("%s/.", from);
	const char *const copy[] = {"cp", "-R", "--no-preserve=mode,ownership", "--", content,
	                            to,   NULL};

	if (fs_mkdir_p(to, 0755, err) < 0)
		return -1;
	return proc_check(copy, NULL, NULL, err);
}

static int list_below(const char *top, const char *rel, struct strlist *out, struct err *err)
{
	auto_free char *dir = xasprintf("%s/%s", top, rel);
	auto_strlist names = {0};

	if (fs_list(dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf("%s%s%s", rel, *rel ? "/" : "", names.v[i]);
		auto_free char *full = xasprintf("%s/%s", top, path);
		struct stat st;

		if (lstat(full, &st) < 0)
			return err_set(err, "%s: %s", full, strerror(errno));
		if (!S_ISDIR(st.st_mode))
			strlist_add(out, path);
		else if (list_below(top, path, out, err) < 0)
			return -1;
	}
	return 0;
}

int tree_list(const char *dir, struct strlist *out, struct err *err)
{
	if (list_below(dir, "", out, err) < 0)
		return -1;
	strlist_sort(out);
	return 0;
}

int tree_digest(const char *dir, struct strbuf *out, struct err *err)
{
	auto_strlist files = {0};

	if (!fs_exists(dir))
		return 0;
	if (tree_list(dir, &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.n; i++) {
		auto_free char *path = xasprintf("%s/%s", dir, files.v[i]);
		struct digest d;

		if (is_test(files.v[i]))
			continue;
		if (digest_file(path, &d, NULL, err) < 0)
			return -1;
		strbuf_addf(out, "%s %s\n", files.v[i], d.str);
	}
	return 0;
}

static int seal_entry(const char *dir, const char *name, struct strbuf *out, struct err *err)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	char target[PATH_MAX];
	struct digest d;
	struct stat st;
	ssize_t n;

	if (lstat(path, &st) < 0)
		return err_set(err, "%s: %s", path, strerror(errno));
	if (!S_ISLNK(st.st_mode)) {
		if (digest_file(path, &d, NULL, err) < 0)
			return -1;
		strbuf_addf(out, "%s %d %s\n", name, (st.st_mode & 0111) != 0, d.str);
		return 0;
	}
	n = readlink(path, target, sizeof(target));
	if (n < 0 || (size_t)n == sizeof(target))
		return err_set(err, "%s: unreadable link", path);
	strbuf_addf(out, "%s -> %.*s\n", name, (int)n, target);
	return 0;
}

int tree_seal(const char *dir, struct digest *out, struct err *err)
{
	auto_strlist files = {0};
	auto_strbuf text = {0};

	if (tree_list(dir, &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.n; i++)
		if (seal_entry(dir, files.v[i], &text, err) < 0)
			return -1;
	digest_data(text.buf, text.len, out);
	return 0;
}

/* Replaces a line that reads exactly so. */
static void replace_line(struct strbuf *text, const char *old, const char *new)
{
	auto_strbuf out = {0};
	const char *p = strbuf_str(text);
	size_t len = strlen(old);

	while (*p) {
		size_t n = strcspn(p, "\n");

		if (n == len && !strncmp(p, old, len))
			strbuf_addstr(&out, new);
		else
			strbuf_add(&out, p, n);
		p += n;
		if (*p)
			strbuf_addch(&out, *p++);
	}
	strbuf_reset(text);
	strbuf_add(text, out.buf, out.len);
}

int tree_make_importable(const char *dir, struct err *err)
{
	auto_strlist names = {0};
	auto_strbuf package = {0};

	strbuf_addstr(&package, "package ");
	for (const char *p = strrchr(dir, '/') + 1; *p; p++)
		if (*p != '-')
			strbuf_addch(&package, *p);
	if (fs_list(dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf("%s/%s", dir, names.v[i]);
		size_t len = strlen(names.v[i]);
		auto_strbuf text = {0};

		if (len < 4 || strcmp(names.v[i] + len - 3, ".go") != 0)
			continue;
		if (is_test(names.v[i])) {
			unlink(path);
			continue;
		}
		if (fs_read(path, SOURCE_MAX, &text, err) < 0)
			return -1;
		replace_line(&text, "package main", strbuf_str(&package));
		replace_line(&text, "func main() {", "func Main() {");
		if (fs_write_atomic(path, text.buf, text.len, 0644, err) < 0)
			return -1;
	}
	return 0;
}
