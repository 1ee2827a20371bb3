/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* Header blocks of a bundle's members: a name that was accepted stays in its array and is plain
 * text. */
#include "err.h"
#include "tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char block[TAR_BLOCK], again[TAR_BLOCK];
	struct tar_entry e, back;
	struct err err = {0};
	unsigned sum = 0;
	char text[9];

	if (size < TAR_BLOCK)
		return 0;
	memcpy(block, data, TAR_BLOCK);
	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += block[i];
	snprintf(text, sizeof(text), "%06o", sum & 0777777);
	memcpy(block + 148, text, 7);
	if (tar_parse(block, &e, &err) < 0 || e.kind != TAR_FILE)
		return 0;
	if (strlen(e.name) > 100 || e.size >> 36)
		abort();
	if (e.size >> 33)
		return 0;
	tar_header(again, e.name, e.size);
	if (tar_parse(again, &back, &err) < 0 || strcmp(e.name, back.name) != 0 ||
	    e.size != back.size)
		abort();
	return 0;
}
