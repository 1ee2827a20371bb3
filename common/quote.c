// SPDX-License-Identifier: Apache-2.0
#include "quote.h"

#include "strbuf.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the character at s (RFC 3629: no overlong forms, no surrogates), 0 when it is none. */
static size_t utf8_len(const unsigned char *s)
{
	uint32_t c = *s;
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (n < 2)
		return n;
	c &= 0x7fu >> n;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) /* the terminating NUL, too */
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) ||
	    (n == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	return n;
}

static void escape(struct strbuf *sb, unsigned char c)
{
	static const char special[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";
	const char *at = strchr(special, c);

	if (at)
		strbuf_addf(sb, "\\%c", letters[at - special]);
	else
		strbuf_addf(sb, "\\u%04x", c);
}

void quote_json(struct strbuf *sb, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	strbuf_addch(sb, '"');
	while (*p) {
		size_t n = utf8_len(p);

		if (*p < ' ' || *p == '"' || *p == '\\' || *p == 0x7f)
			escape(sb, *p);
		else if (n)
			strbuf_add(sb, p, n);
		else
			strbuf_addstr(sb, "\\ufffd");
		p += n ? n : 1;
	}
	strbuf_addch(sb, '"');
}
