/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* Lines of the protocol between controller and node: what parses is safe to show and to answer. */
#include "err.h"
#include "proto.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};
	struct msg m;

	if (msg_parse((const char *)data, size, &m, &err) < 0)
		return 0;
	for (const unsigned char *p = (const unsigned char *)m.text; p && *p; p++)
		if (*p == 0x7f || (*p < 0x20 && !(m.kind == MSG_ERROR && *p == '\n')))
			abort();
	if ((m.kind == MSG_REQUEST || m.kind == MSG_OK) && !json_is_object(m.body))
		abort();
	msg_release(&m);
	return 0;
}
