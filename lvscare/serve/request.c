// SPDX-License-Identifier: Apache-2.0
#include "request.h"

#include <string.h>

/* Behind the blank line that ends the headers, or NULL. */
static const char *headers_end(const char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (buf[i] != '\n')
			continue;
		if (i + 1 < len && buf[i + 1] == '\n')
			return buf + i + 2;
		if (i + 2 < len && buf[i + 1] == '\r' && buf[i + 2] == '\n')
			return buf + i + 3;
	}
	return NULL;
}

/* Takes the word before the next blank off; NULL when there is none. */
static const char *word(const char **at, const char *end, size_t *len)
{
	const char *start = *at;
	const char *blank = memchr(start, ' ', (size_t)(end - start));

	if (!blank || blank == start)
		return NULL;
	*len = (size_t)(blank - start);
	*at = blank + 1;
	return start;
}

static bool is(const char *p, size_t len, const char *s)
{
	return len == strlen(s) && memcmp(p, s, len) == 0;
}

static bool printable(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] <= ' ' || p[i] >= 0x7f)
			return false;
	return true;
}

static int parse_line(const char *at, const char *end, struct request *out)
{
	size_t method_len, len;
	const char *method = word(&at, end, &method_len);
	const char *path = method ? word(&at, end, &len) : NULL;
	const char *query;

	if (!path || !printable(method, method_len) || !printable(path, len) || *path != '/')
		return 400;
	if (end - at != 8 || memcmp(at, "HTTP/1.", 7) != 0)
		return end - at == 8 && memcmp(at, "HTTP/", 5) == 0 ? 505 : 400;
	out->head = is(method, method_len, "HEAD");
	if (!out->head && !is(method, method_len, "GET"))
		return 405;
	query = memchr(path, '?', len);
	if (query)
		len = (size_t)(query - path);
	if (len >= sizeof(out->path))
		return 404;
	memcpy(out->path, path, len);
	out->path[len] = '\0';
	return 200;
}

int request_parse(const char *buf, size_t len, struct request *out)
{
	const char *end = len ? memchr(buf, '\n', len) : NULL;

	*out = (struct request){0};
	if (!headers_end(buf, len))
		return len < REQUEST_MAX ? 0 : 431;
	if (end > buf && end[-1] == '\r')
		end--;
	return parse_line(buf, end, out);
}
