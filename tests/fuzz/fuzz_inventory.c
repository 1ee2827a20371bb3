/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* What stands behind the address in a file of machines. Addresses themselves would be looked up. */
#include "err.h"
#include "host.h"
#include "inventory.h"
#include "strbuf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_strbuf text = {0};
	struct hostlist l = {0};
	struct err err = {0};

	strbuf_addstr(&text, "node 10.0.0.1 ");
	for (size_t i = 0; i < size; i++)
		strbuf_addch(&text, data[i] == '\n' ? ' ' : (char)data[i]);
	if (inventory_parse(text.buf, text.len, "f", &l, &err) == 0 && l.n != 1)
		abort();
	hostlist_release(&l);
	return 0;
}
