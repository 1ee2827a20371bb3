// SPDX-License-Identifier: Apache-2.0
/* Reading a backup: nothing in it is believed before its digest was compared. */
#include "backup.h"

#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "strbuf.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST_MAX (16u << 20)

struct reading {
	struct archive *a;
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
	struct archive_entry *e;
	auto_strbuf text = {0};
	la_ssize_t n;

	if (archive_read_next_header(r->a, &e) != ARCHIVE_OK ||
	    strcmp(archive_entry_pathname(e) ? archive_entry_pathname(e) : "", BACKUP_MANIFEST) !=
	        0)
		return damaged(r, err, "no backup: " BACKUP_MANIFEST " is not its first file");
	do {
		strbuf_grow(&text, 1 << 16);
		n = archive_read_data(r->a, text.buf + text.len, 1 << 16);
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
	la_ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = archive_read_data(r->a, buf, 1 << 16)) != 0) {
		if (n < 0)
			rc = damaged(r, err, archive_error_string(r->a));
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

static int read_file(struct reading *r, struct archive_entry *e, struct err *err)
{
	const char *name = archive_entry_pathname(e);
	const json_t *entry = name ? listed(r, name) : NULL;
	int out, rc;

	if (!entry || archive_entry_filetype(e) != AE_IFREG || !is_safe(name))
		return err_set_code(err, EXIT_BAD_BUNDLE, "%s: %s in it is not named by its %s",
		                    r->path, name ? name : "a file", BACKUP_MANIFEST);
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
	struct archive_entry *e;
	int rc;

	while ((rc = archive_read_next_header(r->a, &e)) == ARCHIVE_OK)
		if (read_file(r, e, err) < 0)
			return -1;
	if (rc != ARCHIVE_EOF)
		return damaged(r, err, archive_error_string(r->a));
	if (r->seen != json_array_size(json_object_get(r->manifest, "files")))
		return damaged(r, err, "files are missing in it");
	return 0;
}

int backup_read(const char *path, const char *dir, json_t **manifest, struct err *err)
{
	struct reading r = {.a = archive_read_new(), .path = path, .dir = dir};
	int rc = 0;

	archive_read_support_format_tar(r.a);
	if (archive_read_open_filename(r.a, path, 1 << 16) != ARCHIVE_OK)
		rc = fs_exists(path) ? damaged(&r, err, archive_error_string(r.a))
		                     : err_set(err, "%s: there is no such file", path);
	if (rc == 0)
		rc = read_manifest(&r, err);
	if (rc == 0)
		rc = read_files(&r, err);
	archive_read_free(r.a);
	if (rc < 0)
		json_decref(r.manifest);
	else
		*manifest = r.manifest;
	return rc;
}
