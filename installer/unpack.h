// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

struct err;

/*
 * Unpacks a layer (tar, tar+zstd or tar+gzip, read from fd) below dir, which exists. Only regular
 * files, directories and relative links that stay inside are taken; modes lose their write bits for
 * others, owner is the caller. The working directory is dir meanwhile and / afterwards.
 */
int unpack_layer(int fd, const char *dir, struct err *err);

/*
 * Writes one regular file of a layer to the descriptor out: the layer lies in fd from offset on for
 * size bytes, name is the file's path in it. Returns 1 when it was found, 0 when the layer has no
 * such file, -1 on failure.
 */
int unpack_member(int fd, uint64_t offset, uint64_t size, const char *name, int out,
                  struct err *err);
