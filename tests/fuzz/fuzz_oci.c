/* links: common */
// SPDX-License-Identifier: Apache-2.0
/* Index and manifest documents of a bundle: whatever parses must write and parse again. */
#include "err.h"
#include "oci.h"
#include "strbuf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void index_again(const struct oci_index *index)
{
	auto_strbuf json = {0};
	struct oci_index again;
	struct err err = {0};

	oci_index_write(index, &json);
	if (oci_index_parse(json.buf, json.len, &again, &err) < 0)
		abort();
	oci_index_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oci_manifest manifest;
	struct oci_index index;
	struct err err = {0};

	if (oci_index_parse((const char *)data, size, &index, &err) == 0) {
		index_again(&index);
		oci_index_release(&index);
	}
	if (oci_manifest_parse((const char *)data, size, &manifest, &err) == 0)
		oci_manifest_release(&manifest);
	return 0;
}
