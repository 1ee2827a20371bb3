// SPDX-License-Identifier: Apache-2.0
#include "http.h"

#include <string.h>
#include <strings.h>

#define HEAD_MAX 16384 /* bytes; API servers send a few hundred */

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

const char *http_header(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	return line + len + 1 + strspn(line + len + 1, " \t");
}

static void take_length(struct http_reply *r, const char *value)
{
	uint64_t n = 0;

	if (!digit(*value) || strspn(value, "0123456789") > 9 || r->sized) {
		r->odd = true; /* nonsense, or said twice */
		return;
	}
	for (; digit(*value); value++)
		n = n * 10 + (uint64_t)(*value - '0');
	r->odd |= *value != '\0';
	r->sized = true;
	r->left = n;
}

static void end_of_head(struct http_reply *r)
{
	if (!r->sized || r->odd || r->closes || r->status < 200)
		r->stage = HTTP_OTHER;
	else
		r->stage = r->left ? HTTP_BODY : HTTP_DONE;
}

static void take_line(struct http_reply *r)
{
	const char *value;

	if (!r->status) {
		r->status = http_status(r->line, r->len);
		if (r->status <= 0)
			r->stage = HTTP_BAD;
		r->closes |= r->line[7] == '0'; /* HTTP/1.0 */
		return;
	}
	r->line[r->len - 1] = '\0'; /* was the line feed */
	r->line[strcspn(r->line, "\r")] = '\0';
	if (!*r->line)
		end_of_head(r);
	else if ((value = http_header(r->line, "Content-Length")))
		take_length(r, value);
	else if (http_header(r->line, "Transfer-Encoding"))
		r->odd = true;
	else if ((value = http_header(r->line, "Connection")) &&
	         strcasecmp(value, "keep-alive") != 0)
		r->closes = true;
}

static void take_head(struct http_reply *r, char c)
{
	if (++r->head > HEAD_MAX) {
		r->stage = r->status ? HTTP_OTHER : HTTP_BAD;
		return;
	}
	if (r->len < sizeof(r->line) - 1 || c == '\n')
		r->line[r->len < sizeof(r->line) ? r->len++ : r->len - 1] = c;
	if (!r->status && http_status(r->line, r->len) < 0)
		r->stage = HTTP_BAD;
	else if (c == '\n') {
		take_line(r);
		r->len = 0;
	}
}

void http_feed(struct http_reply *r, const char *buf, size_t len)
{
	size_t i = 0;

	while (i < len && r->stage == HTTP_HEAD)
		take_head(r, buf[i++]);
	if (r->stage == HTTP_BODY) {
		size_t n = len - i < r->left ? len - i : (size_t)r->left;

		r->left -= n;
		i += n;
		if (!r->left)
			r->stage = HTTP_DONE;
	}
	if (r->stage == HTTP_DONE && i < len) /* more than was asked for */
		r->stage = HTTP_OTHER;
}
