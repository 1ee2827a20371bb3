/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "serve/request.h"
#include "unit.h"

#include <string.h>

#define H "\r\nHost: x\r\n\r\n"

static void requests(void **state)
{
	static const struct {
		const char *in;
		int status;
		const char *path;
	} cases[] = {
	    {"GET /healthz HTTP/1.1" H, 200, "/healthz"},
	    {"GET /metrics?x=1&y HTTP/1.0\n\n", 200, "/metrics"},
	    {"HEAD / HTTP/1.1" H, 200, "/"},
	    {"GET /healthz HTTP/1.1\r\nHost: x\r\n", 0, ""},
	    {"GET /healthz HTTP/1.1", 0, ""},
	    {"", 0, ""},
	    {"POST /healthz HTTP/1.1" H, 405, NULL},
	    {"GETS /healthz HTTP/1.1" H, 405, NULL},
	    {"get /healthz HTTP/1.1" H, 405, NULL},
	    {"GET healthz HTTP/1.1" H, 400, NULL},
	    {"GET http://x/healthz HTTP/1.1" H, 400, NULL},
	    {"GET  /healthz HTTP/1.1" H, 400, NULL},
	    {"GET /healthz" H, 400, NULL},
	    {"GET /heal thz HTTP/1.1" H, 400, NULL},
	    {"GET /\x01 HTTP/1.1" H, 400, NULL},
	    {"GET /\xff HTTP/1.1" H, 400, NULL},
	    {"GET /healthz HTTP/2.0" H, 505, NULL},
	    {"GET /healthz ICY/1.0" H, 400, NULL},
	    {"\r\n\r\n", 400, NULL},
	    {"\n\n", 400, NULL},
	    {"\x16\x03\x01\x02\n\n", 400, NULL},
	    {"GET /0123456789012345678901234567890123456789012345678901234567890123456789 "
	     "HTTP/1.1" H,
	     404, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request q;
		int status = request_parse(cases[i].in, strlen(cases[i].in), &q);

		if (status != cases[i].status)
			fail_msg("%s: %d", cases[i].in, status);
		if (cases[i].path)
			assert_string_equal(q.path, cases[i].path);
		assert_int_equal(q.head, cases[i].in[0] == 'H' && status == 200);
	}
}

static void a_request_without_an_end(void **state)
{
	char in[REQUEST_MAX];
	struct request q;

	(void)state;
	memset(in, 'x', sizeof(in));
	memcpy(in, "GET / HTTP/1.1\r\n", 16);
	assert_int_equal(request_parse(in, sizeof(in) - 1, &q), 0);
	assert_int_equal(request_parse(in, sizeof(in), &q), 431);
	memcpy(in + sizeof(in) - 4, "\r\n\r\n", 4);
	assert_int_equal(request_parse(in, sizeof(in), &q), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests),
	    cmocka_unit_test(a_request_without_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
