// SPDX-License-Identifier: Apache-2.0
#include "deb.h"

#include "conf.h"
#include "debunpack.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "lock.h"
#include "mem.h"
#include "proc.h"
#include "strbuf.h"
#include "tree.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where apt leaves a version: it writes a colon as %3a. */
static char *file_of(const struct debs *d, const char *name, const char *version)
{
	auto_strbuf path = {0};

	strbuf_addf(&path, "%s/deb/%s/%s_", d->work, d->name, name);
	for (; *version; version++)
		if (*version == ':')
			strbuf_addstr(&path, "%3a");
		else
			strbuf_addch(&path, *version);
	strbuf_addstr(&path, "_amd64.deb");
	return strbuf_detach(&path);
}

/* NAME_VERSION_ARCH.deb -> VERSION; NULL when it is named otherwise. */
static char *version_in(const char *file, const char *name)
{
	size_t len = strlen(name);
	const char *end = strrchr(file, '_');
	auto_strbuf version = {0};

	if (strncmp(file, name, len) != 0 || file[len] != '_' || end <= file + len)
		return NULL;
	for (const char *p = file + len + 1; p < end; p++) {
		if (!strncmp(p, "%3a", 3)) {
			strbuf_addch(&version, ':');
			p += 2;
		} else {
			strbuf_addch(&version, *p);
		}
	}
	return strbuf_detach(&version);
}

/* What was fetched whole takes its final name. */
static int keep_files(const char *from, const char *to, struct err *err)
{
	auto_strlist names = {0};

	if (fs_list(from, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *old = xasprintf("%s/%s", from, names.v[i]);
		auto_free char *new = xasprintf("%s/%s", to, names.v[i]);

		if (rename(old, new) < 0)
			return err_set(err, "%s: %s", new, strerror(errno));
	}
	return 0;
}

/* apt-get download of all wanted ("name" or "name=version") into work/deb/NAME, by way of a folder
 * of its own: what it writes when it is cut off has a final name already. */
static int download(const struct debs *d, const struct strlist *wanted, struct err *err)
{
	auto_free char *dir = xasprintf("%s/deb/%s", d->work, d->name);
	auto_free char *fresh = xasprintf("%s.new", dir);
	auto_strlist argv = {0};
	const struct proc_opts opts = {.dir = fresh};

	if (!wanted->n)
		return 0;
	if (fs_remove_tree(fresh, err) < 0 || fs_mkdir_p(fresh, 0755, err) < 0)
		return -1;
	strlist_add(&argv, "apt-get");
	strlist_add(&argv, "-oAPT::Sandbox::User=root");
	strlist_add(&argv, "download");
	for (size_t i = 0; i < wanted->n; i++)
		strlist_add(&argv, wanted->v[i]);
	if (proc_check((const char *const *)argv.v, &opts, NULL, err) < 0)
		return err_wrap(err, "a pinned Debian package may have been replaced in the "
		                     "archive (apt-get update; --update-lock takes today's)");
	return keep_files(fresh, dir, err) < 0 ? -1 : fs_remove_tree(fresh, err);
}

/* Is the package in the file the one that the lock names? A file that is not is removed, so that it
 * is fetched again. line, for the record, is the caller's. */
static int check_file(const struct debs *d, const char *name, const char *version, const char *file,
                      char **line, struct err *err)
{
	struct digest digest;

	if (digest_file(file, &digest, NULL, err) < 0)
		return -1;
	*line = xasprintf("deb %s %s %s", name, version, digest.str);
	if (!d->lock || lock_check(d->lock, *line, err) == 0)
		return 0;
	unlink(file);
	return -1;
}

static bool is_there(const struct debs *d, const char *name, const char *version, const char *file)
{
	auto_free char *line = NULL;
	struct err why = {0};

	if (!fs_exists(file))
		return false;
	if (check_file(d, name, version, file, &line, &why) == 0)
		return true;
	fprintf(stderr, "%s is fetched again: %s\n", file, why.msg);
	return false;
}

/* What the lock names and is not here yet, or everything when there is no lock. */
static int fetch(const struct debs *d, struct err *err)
{
	auto_free char *dir = xasprintf("%s/deb/%s", d->work, d->name);
	auto_strlist wanted = {0};
	const char *name;
	size_t at = 0;

	if (!d->lock && fs_remove_tree(dir, err) < 0)
		return -1;
	if (fs_mkdir_p(dir, 0755, err) < 0)
		return -1;
	while ((name = conf_next(d->conf, "package", &at))) {
		auto_free char *version = d->lock ? lock_version(d->lock, "deb", name) : NULL;
		auto_free char *file = version ? file_of(d, name, version) : NULL;

		if (d->lock && !version)
			return err_set(err, "%s has no entry \"deb %s\"; --update-lock writes it",
			               d->lock->path, name);
		if (!version)
			strlist_addf(&wanted, "%s:amd64", name);
		else if (!is_there(d, name, version, file))
			strlist_addf(&wanted, "%s:amd64=%s", name, version);
	}
	return download(d, &wanted, err);
}

/* The package's file among those in work/deb/NAME: the locked version's, or the only one. */
static char *locate(const struct debs *d, const char *name, char **version, struct err *err)
{
	auto_free char *dir = xasprintf("%s/deb/%s", d->work, d->name);
	auto_strlist files = {0};

	if (d->lock) {
		*version = lock_version(d->lock, "deb", name);
		return file_of(d, name, *version);
	}
	if (fs_list(dir, &files, err) < 0)
		return NULL;
	for (size_t i = 0; i < files.n; i++) {
		*version = version_in(files.v[i], name);
		if (*version)
			return xasprintf("%s/%s", dir, files.v[i]);
	}
	err_set(err, "apt-get brought no package %s", name);
	return NULL;
}

static bool matches(const struct conf *conf, const char *key, const char *path)
{
	const char *pattern;
	size_t at = 0;

	while ((pattern = conf_next(conf, key, &at)))
		if (fnmatch(pattern, path, 0) == 0)
			return true;
	return false;
}

static int keep(void *ctx, const char *path)
{
	return matches(ctx, "keep", path) || !matches(ctx, "drop", path);
}

/* The package's own description, where scanners of images look for it. */
static int write_status(const char *file, const char *name, const char *tree, struct err *err)
{
	auto_free char *path = xasprintf("%s/var/lib/dpkg/status.d/%s", tree, name);
	auto_free char *dir = xasprintf("%s/var/lib/dpkg/status.d", tree);
	const char *const argv[] = {"dpkg-deb", "-f", file, NULL};
	auto_strbuf out = {0};

	if (proc_check(argv, NULL, &out, err) < 0 || fs_mkdir_p(dir, 0755, err) < 0)
		return -1;
	return fs_write_atomic(path, strbuf_str(&out), out.len, 0644, err);
}

static int unpack_one(const struct debs *d, const char *name, const char *tree, struct conf *record,
                      struct err *err)
{
	auto_free char *version = NULL, *line = NULL;
	auto_free char *file = locate(d, name, &version, err);
	struct conf conf = *d->conf;

	if (!file || check_file(d, name, version, file, &line, err) < 0)
		return -1;
	conf_set(record, "lock", line);
	if (deb_unpack(file, tree, keep, &conf, err) < 0)
		return -1;
	return write_status(file, name, tree, err);
}

int debs_run(const struct debs *d, struct conf *record, struct err *err)
{
	auto_free char *tree = xasprintf("%s/tree/%s", d->work, d->key);
	auto_free char *temp = xasprintf("%s.tmp", tree);
	struct digest digest;
	const char *name;
	size_t at = 0;

	if (fs_remove_tree(temp, err) < 0 || fs_remove_tree(tree, err) < 0 || fetch(d, err) < 0)
		return -1;
	if (fs_mkdir_p(temp, 0755, err) < 0)
		return -1;
	while ((name = conf_next(d->conf, "package", &at)))
		if (unpack_one(d, name, temp, record, err) < 0)
			return -1;
	if (rename(temp, tree) < 0)
		return err_set(err, "%s: %s", tree, strerror(errno));
	if (tree_seal(tree, &digest, err) < 0)
		return -1;
	conf_set(record, "tree", tree);
	conf_set(record, "digest", digest.str);
	return 0;
}
