/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* The user's --config file: any text ends in documents that are objects, or in a message. */
#include "err.h"
#include "yaml.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};
	json_t *docs = yaml_documents((const char *)data, size, "fuzz", &err), *d;
	size_t i;

	if (!docs && !err.msg[0])
		abort();
	json_array_foreach (docs, i, d)
		if (!json_is_object(d))
			abort();
	json_decref(docs);
	return 0;
}
