/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "http.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(status_lines),
	    cmocka_unit_test(a_line_without_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
