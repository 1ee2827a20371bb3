// SPDX-License-Identifier: Apache-2.0
#include "tar.h"

#include "err.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Offsets and widths of the fields in a header block. */
enum {
	NAME = 0,
	NAME_LEN = 100,
	MODE = 100,
	UID = 108,
	GID = 116,
	SIZE = 124,
	SIZE_LEN = 12,
	MTIME = 136,
	SUM = 148,
	SUM_LEN = 8,
	TYPE = 156,
	MAGIC = 257,
	PREFIX = 345,
};

size_t tar_padding(uint64_t size)
{
	return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

bool tar_is_zero(const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static unsigned checksum(const unsigned char *block)
{
	unsigned sum = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= SUM && i < SUM + SUM_LEN ? ' ' : block[i];
	return sum;
}

/* Octal digits ended by NUL, space or the end of the field. */
static bool octal(const unsigned char *p, size_t len, uint64_t *out)
{
	size_t i = 0;

	*out = 0;
	for (; i < len && p[i] >= '0' && p[i] <= '7'; i++)
		*out = *out << 3 | (uint64_t)(p[i] - '0');
	return i > 0 && (i == len || p[i] == '\0' || p[i] == ' ');
}

/* The checksum is written as six digits, NUL, space: all eight bytes are held to that, since the
 * sum itself does not cover them. */
static bool sum_matches(const unsigned char *block)
{
	char want[SUM_LEN + 1];

	snprintf(want, sizeof(want), "%06o", checksum(block) & 0777777);
	return memcmp(block + SUM, want, 7) == 0 && block[SUM + 7] == ' ';
}

int tar_parse(const unsigned char block[static TAR_BLOCK], struct tar_entry *out, struct err *err)
{
	*out = (struct tar_entry){.kind = TAR_END};
	if (tar_is_zero(block, TAR_BLOCK))
		return 0;
	if (!sum_matches(block))
		return err_set_code(err, EXIT_BAD_BUNDLE, "a member's header is damaged");
	memcpy(out->name, block + NAME, NAME_LEN);
	for (const char *s = out->name; *s; s++)
		if (*s < 0x21 || *s > 0x7e)
			return err_set_code(err, EXIT_BAD_BUNDLE,
			                    "a member's name is not plain text");
	if (memcmp(block + MAGIC,
	           "ustar\0"
	           "00",
	           8) != 0 ||
	    block[PREFIX])
		return err_set_code(err, EXIT_BAD_BUNDLE, "%s: not a plain ustar member",
		                    out->name);
	switch (block[TYPE]) {
	case '0':
		out->kind = TAR_FILE;
		break;
	case '5':
		out->kind = TAR_DIR;
		break;
	default:
		return err_set_code(err, EXIT_BAD_BUNDLE, "%s: neither a file nor a directory",
		                    out->name);
	}
	if (!octal(block + SIZE, SIZE_LEN, &out->size) || (out->kind == TAR_DIR && out->size))
		return err_set_code(err, EXIT_BAD_BUNDLE, "%s: bad size", out->name);
	return 0;
}

void tar_header(unsigned char block[static TAR_BLOCK], const char *name, uint64_t size)
{
	char field[SIZE_LEN + 1];

	assert(strlen(name) <= NAME_LEN && size >> 33 == 0);
	memset(block, 0, TAR_BLOCK);
	memcpy(block + NAME, name, strlen(name));
	memcpy(block + MODE, "0000644", 8);
	memcpy(block + UID, "0000000", 8);
	memcpy(block + GID, "0000000", 8);
	snprintf(field, sizeof(field), "%011llo", (unsigned long long)size);
	memcpy(block + SIZE, field, SIZE_LEN);
	memcpy(block + MTIME, "00000000000", SIZE_LEN);
	block[TYPE] = '0';
	memcpy(block + MAGIC,
	       "ustar\0"
	       "00",
	       8);
	snprintf(field, sizeof(field), "%06o", checksum(block));
	memcpy(block + SUM, field, 7);
	block[SUM + 7] = ' ';
}
