/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* What a login prints before, between and behind our own lines. */
#include "mem.h"
#include "remote.h"
#include "strbuf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char token[] = "0123456789abcdef0123456789abcdef";
	auto_free char *text = xstrndup((const char *)data, size);
	auto_strbuf quoted = {0};
	const char *rest;
	char user[64];

	remote_parse(text, token, &rest);
	if (rest < text && *rest)
		abort();
	if (remote_prompt(text, token, user) && (!*user || !strstr(text, token)))
		abort();
	remote_quote(text, token, &quoted);
	for (const char *p = strbuf_str(&quoted); *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			abort();
	return 0;
}
