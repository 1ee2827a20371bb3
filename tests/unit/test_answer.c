/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "discover/answer.h"
#include "err.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct answer a;
static struct err err;

/* Takes text in pieces of step bytes; the first failure ends it. */
static int take(const char *text, size_t step)
{
	size_t len = strlen(text);

	answer_release(&a);
	err = (struct err){0};
	for (size_t at = 0; at < len; at += step)
		if (answer_take(&a, text + at, len - at < step ? len - at : step, &err) < 0)
			return -1;
	return 0;
}

static void bodies_of_three_kinds(void **state)
{
	static const struct {
		const char *text, *body;
		int status;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", "hello", 200},
	    {"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n", "", 204},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
	     "chunked\r\n\r\n3\r\nhel\r\n002;x=y\r\nlo\r\n0\r\n\r\n",
	     "hello", 200},
	    {"HTTP/1.1 403 Forbidden\nTRANSFER-ENCODING:chunked\nX: y\n\n5\nhello\n0\nTrailer: "
	     "1\n\n",
	     "hello", 403},
	    /* chunks win over a length */
	    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: "
	     "chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
	     "0123456789", 200},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t step = 1; step < 99; step += 3) {
			assert_int_equal(take(cases[i].text, step), 0);
			assert_int_equal(a.stage, ANSWER_COMPLETE);
			assert_int_equal(a.status, cases[i].status);
			assert_string_equal(strbuf_str(&a.body), cases[i].body);
			assert_int_equal(answer_closed(&a, &err), 0);
		}
	answer_release(&a);
}

static void the_end_of_a_connection(void **state)
{
	(void)state;
	assert_int_equal(take("HTTP/1.1 200 OK\r\n\r\nhel", 2), 0);
	assert_int_equal(a.stage, ANSWER_UNTIL_CLOSED);
	assert_int_equal(answer_closed(&a, &err), 0);
	assert_string_equal(strbuf_str(&a.body), "hel");
	assert_int_equal(take("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhel", 2), 0);
	assert_int_equal(answer_closed(&a, &err), -1);
	assert_string_equal(err.msg, "connection closed");
	assert_int_equal(take("", 1), 0);
	assert_int_equal(answer_closed(&a, &err), -1);
	answer_release(&a);
}

static void lines_of_a_body(void **state)
{
	(void)state;
	assert_int_equal(take("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	                      "6\r\none\ntw\r\n2\r\no\n\r\n",
	                      1),
	                 0);
	assert_int_equal(a.stage, ANSWER_CHUNK_SIZE);
	assert_int_equal(answer_line(&a), 4);
	strbuf_consume(&a.body, 4);
	assert_int_equal(answer_line(&a), 4);
	strbuf_consume(&a.body, 4);
	assert_int_equal(answer_line(&a), 0);
	answer_release(&a);
}

static void what_is_no_answer(void **state)
{
	static const struct {
		const char *text, *msg;
	} cases[] = {
	    {"SSH-2.0-OpenSSH\r\n", "not HTTP"},
	    {"HTTP/1.1 100 Continue\r\n\r\n", "not HTTP"},
	    {"\r\n\r\n", "not HTTP"},
	    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	     "content length \"-1\" is not a number"},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
	     "content length \"99999999999999999999\" is not a number"},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
	     "transfer coding \"gzip, chunked\" is not chunked"},
	    {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
	     "content coding \"gzip\" was not asked for"},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
	     "chunk size \"xyz\" is not a number"},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
	     "chunk size \"\" is not a number"},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
	     "a chunk is longer than its size says"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(take(cases[i].text, 7), -1);
		assert_string_equal(err.msg, cases[i].msg);
	}
	answer_release(&a);
}

/* Takes len bytes of one letter, a piece at a time; the failure's sentence or "". */
static const char *flood(char c, size_t len)
{
	char piece[1000];

	memset(piece, c, sizeof(piece));
	for (size_t at = 0; at < len; at += sizeof(piece))
		if (answer_take(&a, piece, sizeof(piece), &err) < 0)
			return err.msg;
	return "";
}

static void bounds(void **state)
{
	(void)state;
	assert_int_equal(take("HTTP/1.1 200 OK\r\n", 1), 0);
	assert_string_equal(flood('h', 20000), "its head is longer than 16384 bytes");
	assert_int_equal(take("HTTP/1.1 200 OK\r\n\r\n", 1), 0);
	assert_string_equal(flood('b', 60000), "");
	assert_string_equal(flood('b', 9000), "more than 65536 bytes in one piece");
	assert_int_equal(take("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 1), 0);
	assert_string_equal(flood('0', 20000), "its head is longer than 16384 bytes");
	assert_int_equal(take("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", 1), 0);
	assert_string_equal(flood('t', 20000), "its head is longer than 16384 bytes");
	/* a stream of small chunks has no end and no bound */
	assert_int_equal(take("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 1), 0);
	for (int i = 0; i < 20000; i++) {
		assert_int_equal(answer_take(&a, "2\r\nx\n\r\n", 7, &err), 0);
		assert_int_equal(answer_line(&a), 2);
		strbuf_consume(&a.body, 2);
	}
	answer_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bodies_of_three_kinds),
	    cmocka_unit_test(the_end_of_a_connection),
	    cmocka_unit_test(lines_of_a_body),
	    cmocka_unit_test(what_is_no_answer),
	    cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
