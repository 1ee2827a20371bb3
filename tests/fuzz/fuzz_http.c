/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
/* Status lines that come byte by byte: once decided, more bytes never change the answer. */
#include "http.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int decided = 0;

	if (size > HTTP_LINE_MAX)
		size = HTTP_LINE_MAX;
	for (size_t n = 0; n <= size; n++) {
		int status = http_status((const char *)data, n);

		if (status < -1 || (status > 0 && status < 100) || status > 599)
			abort();
		if (decided && status != decided)
			abort();
		decided = status;
	}
	if (size == HTTP_LINE_MAX && !decided)
		abort();
	return 0;
}
