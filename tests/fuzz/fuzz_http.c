/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
/* Status lines that come byte by byte: once decided, more bytes never change the answer. And where
 * answers end. */
#include "health/http.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In one piece and in two, an answer ends at the same place. */
static void feed(const uint8_t *data, size_t size)
{
	struct http_reply whole = {0}, parts = {0};
	size_t half = size / 2;

	http_feed(&whole, (const char *)data, size);
	http_feed(&parts, (const char *)data, half);
	http_feed(&parts, (const char *)data + half, size - half);
	if (whole.stage != parts.stage || whole.status != parts.status || whole.left != parts.left)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int decided = 0;

	feed(data, size);
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
