// SPDX-License-Identifier: Apache-2.0
/* Reading a backup: nothing in it is believed before its digest was compared. */
#include "backup.h"

#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "strbuf.h"
#include "tarread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST_MAX (16u << 20)

struct reading {
	struct tar_reader *tar;
	const char *path, *dir;
	json_t *manifest;
	size_t seen; /* files */
};

static int damaged(const struct reading *r, struct err *err, const char *what)
{
	return err_set_code(err, EXIT_BAD_BUNDLE, "%s: %s", r->path, what);
}

/* backup.json is the first entry. */
static int read_manifest(struct reading *r, struct err *err)
{
	auto_strbuf text = {0};
	struct err ignored = {0};
	const char *name;
	bool regular;
	ssize_t n;

	if (tar_reader_next(r->tar, &name, &regular, &ignored) != 1 ||
	    strcmp(name, BACKUP_MANIFEST) != 0)
		return damaged(r, err, "no backup: " BACKUP_MANIFEST " is not its first file");
	do {
		strbuf_grow(&text, 1 << 16);
		n = tar_reader_data(r->tar, text.buf + text.len, 1 << 16, &ignored);
		if (n > 0)
			text.len += (size_t)n;
	} while (n > 0 && text.len < MANIFEST_MAX);
	r->manifest = n ? NULL : json_loadb(strbuf_str(&text), text.len, 0, NULL);
	if (!json_is_array(json_object_get(r->manifest, "files")))
		return damaged(r, err, BACKUP_MANIFEST " in it is damaged");
	if (json_integer_value(json_object_get(r->manifest, "format")) != BACKUP_FORMAT)
		return damaged(r, err, "made by a later version of this program");
	return 0;
}

/* A name that stays below a directory. */
static bool is_safe(const char *name)
{
	auto_free char *framed = xasprintf("/%s/", name);

	return *name && *name != '/' && !strstr(framed, "/../") && !strstr(framed, "/./") &&
	       !strstr(framed, "//");
}

static const json_t *listed(const struct reading *r, const char *name)
{
	size_t i;
	json_t *f;

	json_array_foreach (json_object_get(r->manifest, "files"), i, f)
		if (strcmp(json_text(f, "name"), name) == 0)
			return f;
	return NULL;
}

/* The file to write to; -1: nowhere, -2 with err. */
static int open_output(const struct reading *r, const char *name, struct err *err)
{
	auto_free char *path = r->dir ? xasprintf("%s/%s", r->dir, name) : NULL;
	char *slash;
	int fd, rc;

	if (!path)
		return -1;
	slash = strrchr(path, '/');
	*slash = '\0';
	rc = fs_mkdir_p(path, 0700, err);
	*slash = '/';
	if (rc < 0)
		return -2;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		return fd;
	fs_fail(err, "create", path);
	return -2;
}

static int read_data(const struct reading *r, const json_t *entry, int out, struct err *err)
{
	const char *name = json_text(entry, "name");
	struct digest_ctx *ctx = digest_new();
	auto_free char *buf = xmalloc(1 << 16);
	json_int_t size = 0;
	struct digest is;
	struct err cause = {0};
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = tar_reader_data(r->tar, buf, 1 << 16, &cause)) != 0) {
		if (n < 0)
			rc = damaged(r, err, cause.msg);
		else if (out >= 0 && fs_write_all(out, buf, (size_t)n) < 0)
			rc = err_set(err, "%s/%s: %s", r->dir, name, strerror(errno));
		else
			digest_update(ctx, buf, (size_t)n);
		size += n > 0 ? n : 0;
	}
	digest_final(ctx, &is);
	if (rc == 0 && (size != json_integer_value(json_object_get(entry, "size")) ||
	                strcmp(is.str, json_text(entry, "digest")) != 0))
		rc = err_set_code(err, EXIT_BAD_BUNDLE, "%s: %s in it is damaged", r->path, name);
	return rc;
}

static int read_file(struct reading *r, const char *name, bool regular, struct err *err)
{
	const json_t *entry = listed(r, name);
	int out, rc;

	if (!entry || !regular || !is_safe(name))
		return err_set_code(err, EXIT_BAD_BUNDLE, "%s: %s in it is not named by its %s",
		                    r->path, name, BACKUP_MANIFEST);
	out = open_output(r, name, err);
	if (out == -2)
		return -1;
	rc = read_data(r, entry, out, err);
	if (out >= 0 && close(out) < 0 && rc == 0)
		rc = err_set(err, "%s/%s: %s", r->dir, name, strerror(errno));
	r->seen++;
	return rc;
}

static int read_files(struct reading *r, struct err *err)
{
	struct err cause = {0};
	const char *name;
	bool regular;
	int rc;

	while ((rc = tar_reader_next(r->tar, &name, &regular, &cause)) == 1)
		if (read_file(r, name, regular, err) < 0)
			return -1;
	if (rc < 0)
		return damaged(r, err, cause.msg);
	if (r->seen != json_array_size(json_object_get(r->manifest, "files")))
		return damaged(r, err, "files are missing in it");
	return 0;
}

int backup_read(const char *path, const char *dir, json_t **manifest, struct err *err)
{
	struct reading r = {.path = path, .dir = dir};
	struct err cause = {0};
	int rc = 0;

	if (!fs_exists(path))
		return err_set(err, "%s: there is no such file", path);
	r.tar = tar_reader_open(path, &cause);
	if (!r.tar)
		return damaged(&r, err, cause.msg);
	rc = read_manifest(&r, err);
	if (rc == 0)
		rc = read_files(&r, err);
	tar_reader_close(r.tar);
	if (rc < 0)
		json_decref(r.manifest);
	else
		*manifest = r.manifest;
	return rc;
}
