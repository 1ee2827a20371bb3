/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#define GOMOD_SUM_LEN 47 /* "h1:" and 32 bytes in base64 */

struct err;
struct part;
struct strbuf;

/* What `go mod download -json` says of a module. */
struct gomod_download {
	char *dir; /* its files in the module cache */
	char *sum; /* "h1:..." as Go's checksum database vouches for it */
};

int gomod_download(const char *path, const char *version, const char *const *env,
                   struct gomod_download *out, struct err *err);
/* Are the files in its directory those that its sum is of? */
int gomod_check(const struct gomod_download *d, const char *path, const char *version,
                struct err *err);
void gomod_download_release(struct gomod_download *d);

/*
 * The go.mod of a part: its modules, upstream's go and godebug lines, and the replacements: of the
 * main module by ../module when the part is compiled from a copy, of staging modules (required at
 * v0.0.0 by upstream, and, without a copy, here too) by their version v0.MINOR.PATCH.
 */
int gomod_write(const struct part *p, const char *upstream, struct strbuf *out, struct err *err);
