/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
/* Requests to our own endpoint, byte by byte: decided only once complete, and never other than as a
 * whole; and what "lvscare status" reads from whoever answers it. */
#include "commands/daemon.h"
#include "serve/request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int status, const struct request *q)
{
	if (status == 200 && (*q->path != '/' || strchr(q->path, '?') || strchr(q->path, ' ')))
		abort();
	if (status && status != 200 && (status < 400 || status > 599))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	static struct daemon_status s;
	struct request q;
	int decided = 0;

	memcpy(text, data, size);
	text[size] = '\0';
	if (daemon_parse(text, &s) && (!s.vs.port || s.n > DESTS_MAX))
		abort();
	for (size_t n = 0; n <= size && n <= REQUEST_MAX; n++) {
		int status = request_parse(text, n, &q);

		check(status, &q);
		if (decided && decided != status)
			abort();
		decided = status;
	}
	if (size >= REQUEST_MAX && !decided)
		abort();
	free(text);
	return 0;
}
