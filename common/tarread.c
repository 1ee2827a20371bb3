// SPDX-License-Identifier: Apache-2.0
#include "tarread.h"

#include "err.h"
#include "mem.h"

#include <archive.h>
#include <archive_entry.h>

struct tar_reader {
	struct archive *a;
	int64_t mtime; /* of the present entry */
};

static int failed(const struct tar_reader *r, struct err *err)
{
	const char *why = archive_error_string(r->a);

	return err_set(err, "%s", why ? why : "damaged");
}

struct tar_reader *tar_reader_open(const char *path, struct err *err)
{
	struct tar_reader *r = xcalloc(1, sizeof(*r));

	r->a = archive_read_new();
	archive_read_support_format_tar(r->a);
	if (archive_read_open_filename(r->a, path, 1 << 16) == ARCHIVE_OK)
		return r;
	failed(r, err);
	tar_reader_close(r);
	return NULL;
}

void tar_reader_close(struct tar_reader *r)
{
	if (!r)
		return;
	archive_read_free(r->a);
	mem_auto_free(&r);
}

int tar_reader_next(struct tar_reader *r, const char **name, bool *regular, struct err *err)
{
	struct archive_entry *e;
	int rc = archive_read_next_header(r->a, &e);

	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc != ARCHIVE_OK)
		return failed(r, err);
	*name = archive_entry_pathname(e);
	if (!*name)
		return err_set(err, "an entry has no name");
	r->mtime = archive_entry_mtime(e);
	*regular = archive_entry_filetype(e) == AE_IFREG && !archive_entry_hardlink(e);
	return 1;
}

int64_t tar_reader_position(const struct tar_reader *r)
{
	return archive_read_header_position(r->a);
}

int64_t tar_reader_mtime(const struct tar_reader *r)
{
	return r->mtime;
}

ssize_t tar_reader_data(struct tar_reader *r, void *buf, size_t len, struct err *err)
{
	la_ssize_t n = archive_read_data(r->a, buf, len);

	return n < 0 ? failed(r, err) : (ssize_t)n;
}
