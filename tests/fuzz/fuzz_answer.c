/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
/*
 * What an API server answers to a list and to a watch: the answer's frame, then each line of its
 * body as both kinds of document. Where it is cut into pieces makes no difference.
 */
#include "discover/answer.h"
#include "discover/slice.h"
#include "err.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int whole(struct answer *a, const char *data, size_t len, size_t step)
{
	struct err err = {0};

	for (size_t at = 0; at < len; at += step)
		if (answer_take(a, data + at, len - at < step ? len - at : step, &err) < 0)
			return -1;
	return 0;
}

static void check(const struct slice *s)
{
	if (!memchr(s->version, '\0', sizeof(s->version)) ||
	    !memchr(s->text, '\0', sizeof(s->text)) || s->masters.n > MASTERS_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer once = {0}, bytes = {0};
	int rc = whole(&once, (const char *)data, size, size ? size : 1);
	struct err err = {0};
	struct slice s;
	char text[SLICE_TEXT_MAX];
	size_t len;

	if (whole(&bytes, (const char *)data, size, 1) != rc)
		abort();
	if (rc == 0 &&
	    (once.status != bytes.status || once.stage != bytes.stage ||
	     once.body.len != bytes.body.len ||
	     memcmp(strbuf_str(&once.body), strbuf_str(&bytes.body), once.body.len) != 0))
		abort();
	for (int family = AF_INET; family; family = family == AF_INET ? AF_INET6 : 0)
		if (slice_parse_list(strbuf_str(&once.body), once.body.len, family, &s, &err) == 0)
			check(&s);
	while ((len = answer_line(&once))) {
		if (slice_parse_event(once.body.buf, len, AF_INET, &s, &err) == 0)
			check(&s);
		slice_parse_status(once.body.buf, len, text);
		strbuf_consume(&once.body, len);
	}
	answer_release(&once);
	answer_release(&bytes);
	return 0;
}
