// SPDX-License-Identifier: Apache-2.0
/* Signature files: whatever is in them, none that was not made by the key is taken. */
#include "err.h"
#include "mem.h"
#include "minisig.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = xstrndup((const char *)data, size);
	struct minisig_key k = {.bytes = {1, 2, 3}};
	struct err err = {0};
	char id[MINISIG_ID_LEN + 1];

	if (minisig_id(text, id)) {
		memcpy(k.id, id, sizeof(k.id));
		if (strspn(id, "0123456789ABCDEF") != MINISIG_ID_LEN ||
		    minisig_verify(&k, "x", 1, text, &err) == 0)
			abort();
	}
	return 0;
}
