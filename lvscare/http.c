// SPDX-License-Identifier: Apache-2.0
#include "http.h"

#include <stdbool.h>
#include <string.h>

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

int http_status(const char *buf, size_t len)
{
	static const char version[] = "HTTP/1.";
	size_t known = len < sizeof(version) - 1 ? len : sizeof(version) - 1;
	const char *end = len ? memchr(buf, '\n', len) : NULL;
	int status;

	if (known && memcmp(buf, version, known) != 0)
		return -1; /* at once: a server of another protocol may never send a line */
	if (!end)
		return len < HTTP_LINE_MAX ? 0 : -1;
	/* "HTTP/1.1 200" and then a blank or the line's end */
	if (end - buf < 12 || !digit(buf[7]) || buf[8] != ' ' || !digit(buf[9]) ||
	    !digit(buf[10]) || !digit(buf[11]))
		return -1;
	if (buf[12] != ' ' && buf[12] != '\r' && buf[12] != '\n')
		return -1;
	status = (buf[9] - '0') * 100 + (buf[10] - '0') * 10 + (buf[11] - '0');
	return status >= 100 && status <= 599 ? status : -1;
}
