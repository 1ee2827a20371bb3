/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
/* Lines of /proc/net/ip_vs_conn. */
#include "kernel/cut.h"
#include "mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct addr vs = {.family = AF_INET, .bytes = {169, 254, 97, 2}, .port = 6443};
	struct addr rs = {.family = AF_INET, .bytes = {10, 9, 0, 11}, .port = 6443}, client;
	auto_free char *line = xstrndup((const char *)data, size);

	if (cut_parse(line, &vs, &rs, &client) && client.family != AF_INET)
		abort();
	return 0;
}
