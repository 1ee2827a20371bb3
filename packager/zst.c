// SPDX-License-Identifier: Apache-2.0
#include "zst.h"

#include "err.h"
#include "fs.h"
#include "mem.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>

#define WINDOW_LOG 27
#define WORKERS    2

struct zst {
	ZSTD_CCtx *cctx;
	int fd;
	size_t cap;
	char *buf;
};

const char *zst_version(void)
{
	return ZSTD_versionString();
}

static int set(struct zst *z, ZSTD_cParameter what, int value, struct err *err)
{
	size_t rc = ZSTD_CCtx_setParameter(z->cctx, what, value);

	return ZSTD_isError(rc) ? err_set(err, "zstd: %s", ZSTD_getErrorName(rc)) : 0;
}

struct zst *zst_open(int fd, int level, struct err *err)
{
	struct zst *z = xcalloc(1, sizeof(*z));

	*z = (struct zst){.cctx = ZSTD_createCCtx(), .fd = fd, .cap = ZSTD_CStreamOutSize()};
	z->buf = xmalloc(z->cap);
	if (set(z, ZSTD_c_compressionLevel, level, err) < 0 ||
	    set(z, ZSTD_c_enableLongDistanceMatching, 1, err) < 0 ||
	    set(z, ZSTD_c_windowLog, WINDOW_LOG, err) < 0 ||
	    set(z, ZSTD_c_checksumFlag, 1, err) < 0 || set(z, ZSTD_c_nbWorkers, WORKERS, err) < 0) {
		zst_cancel(z);
		return NULL;
	}
	return z;
}

void zst_cancel(struct zst *z)
{
	if (!z)
		return;
	ZSTD_freeCCtx(z->cctx);
	mem_auto_free(&z->buf);
	mem_auto_free(&z);
}

static int pump(struct zst *z, ZSTD_inBuffer *in, ZSTD_EndDirective mode, struct err *err)
{
	size_t left;

	do {
		ZSTD_outBuffer out = {z->buf, z->cap, 0};

		left = ZSTD_compressStream2(z->cctx, &out, in, mode);
		if (ZSTD_isError(left))
			return err_set(err, "zstd: %s", ZSTD_getErrorName(left));
		if (fs_write_all(z->fd, z->buf, out.pos) < 0)
			return err_set(err, "write: %s", strerror(errno));
	} while (mode == ZSTD_e_end ? left != 0 : in->pos < in->size);
	return 0;
}

int zst_write(void *ctx, const void *data, size_t len, struct err *err)
{
	ZSTD_inBuffer in = {data, len, 0};

	return pump(ctx, &in, ZSTD_e_continue, err);
}

int zst_finish(struct zst *z, struct err *err)
{
	ZSTD_inBuffer in = {NULL, 0, 0};
	int rc = pump(z, &in, ZSTD_e_end, err);

	zst_cancel(z);
	return rc;
}
