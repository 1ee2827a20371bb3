/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "health/http.h"
#include "unit.h"

#include <string.h>

static void status_lines(void **state)
{
	static const struct {
		const char *in;
		int status;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\n", 200},
	    {"HTTP/1.0 500 \r\nx", 500},
	    {"HTTP/1.1 401\r\n", 401},
	    {"HTTP/1.1 403\n", 403},
	    {"HTTP/1.1 100 Continue\r\n", 100},
	    {"", 0},
	    {"HTT", 0},
	    {"HTTP/1.1 200 OK", 0},
	    {"HTTP/2 200 OK\r\n", -1},
	    {"HTTP/1.1 20 OK\r\n", -1},
	    {"HTTP/1.1 2000 OK\r\n", -1},
	    {"HTTP/1.1 099 x\r\n", -1},
	    {"HTTP/1.1 600 x\r\n", -1},
	    {"HTTP/1.1  200 OK\r\n", -1},
	    {"HTTP/1.x 200 OK\r\n", -1},
	    {"HTTP/1.1 -10 OK\r\n", -1},
	    {"HTTP/1.1\r\n", -1},
	    {"\r\n", -1},
	    {"<html>", -1},
	    {"SSH-2.0-x\r\n", -1},
	    {"http/1.1 200 OK\r\n", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (http_status(cases[i].in, strlen(cases[i].in)) != cases[i].status)
			fail_msg("\"%s\" is not %d", cases[i].in, cases[i].status);
}

static void a_line_without_an_end(void **state)
{
	char line[HTTP_LINE_MAX];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "HTTP/1.1 200 ", 13);
	assert_int_equal(http_status(line, sizeof(line) - 1), 0);
	assert_int_equal(http_status(line, sizeof(line)), -1);
	line[sizeof(line) - 1] = '\n';
	assert_int_equal(http_status(line, sizeof(line)), 200);
}

/* The same in one piece and byte by byte. */
static void where_answers_end(void **state)
{
	static const struct {
		const char *in;
		int status;
		enum http_stage stage;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, HTTP_DONE},
	    {"HTTP/1.1 200 OK\ncontent-length:2\n\nok", 200, HTTP_DONE},
	    {"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n", 500, HTTP_DONE},
	    {"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 200,
	     HTTP_DONE},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 200, HTTP_BODY},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", 200, HTTP_HEAD},
	    {"HTTP/1.1 200", 0, HTTP_HEAD},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!", 200, HTTP_OTHER},
	    {"HTTP/1.1 200 OK\r\n\r\n", 200, HTTP_OTHER},
	    {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, HTTP_OTHER},
	    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 200, HTTP_OTHER},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 200,
	     HTTP_OTHER},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 0\r\n\r\n", 200, HTTP_OTHER},
	    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 200, HTTP_OTHER},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", 200, HTTP_OTHER},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", 200, HTTP_OTHER},
	    {"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n", 100, HTTP_OTHER},
	    {"SSH-2.0-x\r\n", 0, HTTP_BAD},
	    {"\r\n", 0, HTTP_BAD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_reply whole = {0}, pieces = {0};

		http_feed(&whole, cases[i].in, strlen(cases[i].in));
		for (const char *c = cases[i].in; *c; c++)
			http_feed(&pieces, c, 1);
		if (whole.stage != cases[i].stage || pieces.stage != cases[i].stage)
			fail_msg("\"%s\": %d, %d", cases[i].in, whole.stage, pieces.stage);
		if (cases[i].stage != HTTP_BAD) {
			assert_int_equal(whole.status, cases[i].status);
			assert_int_equal(pieces.status, cases[i].status);
		}
	}
}

static void heads_without_an_end(void **state)
{
	struct http_reply r = {0};

	(void)state;
	http_feed(&r, "HTTP/1.1 200 OK\r\nX: ", 20);
	for (int i = 0; i < 100000; i++)
		http_feed(&r, "x", 1);
	assert_int_equal(r.stage, HTTP_OTHER);
	r = (struct http_reply){0};
	http_feed(&r, "HTTP/1.1 200 ", 13);
	for (int i = 0; i < 100000; i++)
		http_feed(&r, "x", 1);
	assert_int_equal(r.stage, HTTP_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(status_lines),
	    cmocka_unit_test(where_answers_end),
	    cmocka_unit_test(heads_without_an_end),
	    cmocka_unit_test(a_line_without_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
