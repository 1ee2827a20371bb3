/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* known_hosts files: whatever they hold, a key that is in none of their bytes is never known. */
#include "knownhosts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char blob[] = "\0\0\0\x0bssh-ed25519\0\0\0 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	static const char b64[] =
	    "AAAAC3NzaC1lZDI1NTE5AAAAIEFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB";
	const struct hostkey key = {blob, sizeof(blob) - 1};
	const struct host_id host = {.name = "10.0.0.1", .port = size % 2 ? 22 : 2222};
	enum host_verdict v = knownhosts_judge((const char *)data, size, &host, &key);

	if ((v == HOST_KNOWN || v == HOST_REVOKED) && !memmem(data, size, b64, strlen(b64)))
		abort();
	return 0;
}
