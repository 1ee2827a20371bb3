// SPDX-License-Identifier: Apache-2.0
#include "digest.h"

#include "err.h"
#include "mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "sha256:"

struct digest_ctx {
	EVP_MD_CTX *md;
};

struct digest_ctx *digest_new(void)
{
	struct digest_ctx *ctx = xcalloc(1, sizeof(*ctx));
	int ok;

	ctx->md = EVP_MD_CTX_new();
	assert(ctx->md);
	ok = EVP_DigestInit_ex(ctx->md, EVP_sha256(), NULL);
	assert(ok == 1);
	return ctx;
}

void digest_update(struct digest_ctx *ctx, const void *data, size_t len)
{
	int ok = EVP_DigestUpdate(ctx->md, data, len);

	assert(ok == 1);
}

void digest_final(struct digest_ctx *ctx, struct digest *out)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	int ok = EVP_DigestFinal_ex(ctx->md, raw, &len);

	assert(ok == 1 && len * 2 == DIGEST_HEX_LEN);
	memcpy(out->str, PREFIX, sizeof(PREFIX));
	for (unsigned int i = 0; i < len; i++) {
		out->str[7 + 2 * i] = hex[raw[i] >> 4];
		out->str[8 + 2 * i] = hex[raw[i] & 15];
	}
	out->str[DIGEST_STR_LEN] = '\0';
	digest_cancel(ctx);
}

void digest_cancel(struct digest_ctx *ctx)
{
	if (!ctx)
		return;
	EVP_MD_CTX_free(ctx->md);
	free(ctx);
}

void digest_data(const void *data, size_t len, struct digest *out)
{
	struct digest_ctx *ctx = digest_new();

	digest_update(ctx, data, len);
	digest_final(ctx, out);
}

int digest_file(const char *path, struct digest *out, uint64_t *size, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_free char *buf = NULL;
	struct digest_ctx *ctx;
	uint64_t total = 0;
	ssize_t n;

	if (fd < 0)
		return err_set(err, "open %s: %s", path, strerror(errno));
	buf = xmalloc(1 << 18);
	ctx = digest_new();
	while ((n = read(fd, buf, 1 << 18)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			digest_cancel(ctx);
			return err_set(err, "read %s: %s", path, strerror(errno));
		}
		digest_update(ctx, buf, (size_t)n);
		total += (uint64_t)n;
	}
	digest_final(ctx, out);
	if (size)
		*size = total;
	return 0;
}

bool digest_parse(const char *s, struct digest *out)
{
	if (!s || strlen(s) != DIGEST_STR_LEN || strncmp(s, PREFIX, 7) != 0)
		return false;
	if (strspn(s + 7, "0123456789abcdef") != DIGEST_HEX_LEN)
		return false;
	memcpy(out->str, s, DIGEST_STR_LEN + 1);
	return true;
}

const char *digest_hex(const struct digest *d)
{
	return d->str + 7;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return a->str[0] && strcmp(a->str, b->str) == 0;
}
