// SPDX-License-Identifier: Apache-2.0
#pragma once

struct err;

/*
 * Unpacks a layer (tar, tar+zstd or tar+gzip, read from fd) below dir, which exists. Only regular
 * files, directories and relative links that stay inside are taken; modes lose their write bits for
 * others, owner is the caller. The working directory is dir meanwhile and / afterwards.
 */
int unpack_layer(int fd, const char *dir, struct err *err);
