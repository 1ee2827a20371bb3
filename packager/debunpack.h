/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct err;

/*
 * Unpacks the data of a Debian package below dir: files, directories and symbolic links, without
 * owners or times. keep says which paths ("usr/sbin/nft") are wanted.
 */
int deb_unpack(const char *deb, const char *dir, int (*keep)(void *ctx, const char *path),
               void *ctx, struct err *err);
