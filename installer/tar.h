// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * The few parts of ustar (POSIX.1-1988 pax, "ustar Interchange Format") that a bundle uses: regular
 * files and directories, sizes below 8 GiB, names of at most 100 bytes, no extended headers. Read
 * strictly, so that no changed bit of a header goes unnoticed.
 */
#define TAR_BLOCK 512

enum tar_kind { TAR_FILE, TAR_DIR, TAR_END };

struct tar_entry {
	enum tar_kind kind; /* TAR_END: a block of zeros */
	char name[101];
	uint64_t size; /* bytes of data behind the header, without the padding */
};

/* One header block. The message names the entry as far as it can be read. */
int tar_parse(const unsigned char block[static TAR_BLOCK], struct tar_entry *out, struct err *err);
/* A header for a regular file, mode 0644, owner and time 0; name has at most 100 bytes. */
void tar_header(unsigned char block[static TAR_BLOCK], const char *name, uint64_t size);
/* Padding bytes behind size bytes of data. */
size_t tar_padding(uint64_t size);
bool tar_is_zero(const unsigned char *p, size_t len);
