/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "mem.h"
#include "proto.h"
#include "strbuf.h"
#include "unit.h"

#include <string.h>

static int parse(const char *line, struct msg *m, struct err *err)
{
	return msg_parse(line, strlen(line), m, err);
}

static void request_round_trip(void **state)
{
	json_t *args = json_pack("{ss}", "digest", "sha256:x");
	auto_strbuf sb = {0};
	struct err err = {0};
	struct msg m;

	(void)state;
	msg_request(&sb, "put", args);
	json_decref(args);
	assert_int_equal(sb.buf[sb.len - 1], '\n');
	assert_int_equal(msg_parse(sb.buf, sb.len - 1, &m, &err), 0);
	assert_int_equal(m.kind, MSG_REQUEST);
	assert_string_equal(m.text, "put");
	assert_string_equal(json_string_value(json_object_get(m.body, "digest")), "sha256:x");
	msg_release(&m);
}

static void answers_round_trip(void **state)
{
	struct err failure = {.code = 65, .msg = "blob: damaged\nsecond line"}, err = {0};
	auto_strbuf sb = {0};
	struct msg m;

	(void)state;
	msg_error(&sb, &failure);
	assert_int_equal(msg_parse(sb.buf, sb.len - 1, &m, &err), 0);
	assert_int_equal(m.kind, MSG_ERROR);
	assert_int_equal(m.code, 65);
	assert_string_equal(m.text, failure.msg);
	msg_release(&m);

	strbuf_reset(&sb);
	msg_progress(&sb, "copy", 5, 9);
	assert_int_equal(msg_parse(sb.buf, sb.len - 1, &m, &err), 0);
	assert_int_equal(m.kind, MSG_PROGRESS);
	assert_int_equal(m.now, 5);
	assert_int_equal(m.of, 9);
	msg_release(&m);

	strbuf_reset(&sb);
	msg_ok(&sb, NULL);
	assert_int_equal(msg_parse(sb.buf, sb.len - 1, &m, &err), 0);
	assert_int_equal(m.kind, MSG_OK);
	assert_int_equal(json_object_size(m.body), 0);
	msg_release(&m);
}

static void refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "x",
	    "[]",
	    "{}",
	    "{\"op\":1}",
	    "{\"op\":\"x\",\"args\":[]}",
	    "{\"ok\":1}",
	    "{\"at\":\"x\",\"now\":-1}",
	    "{\"at\":\"x\",\"of\":\"y\"}",
	    "{\"error\":1}",
	    "{\"op\":\"a\",\"op\":\"b\"}",
	    "{\"op\":\"a\"} x",
	};
	struct msg m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = {0};

		assert_int_equal(parse(bad[i], &m, &err), -1);
		assert_ptr_equal(strstr(err.msg, "protocol: "), err.msg);
		assert_null(m.text);
		assert_null(m.body);
	}
}

static void a_node_cannot_choose_any_exit_code(void **state)
{
	struct err err = {0};
	struct msg m;

	(void)state;
	assert_int_equal(parse("{\"error\":\"x\",\"code\":0}", &m, &err), 0);
	assert_int_equal(m.code, EXIT_FAILED);
	msg_release(&m);
	assert_int_equal(parse("{\"error\":\"x\",\"code\":4242}", &m, &err), 0);
	assert_int_equal(m.code, EXIT_FAILED);
	msg_release(&m);
}

static void terminal_sequences_are_neutralised(void **state)
{
	struct err err = {0};
	struct msg m;
	char c1[] = "a\xc2\x9b"
		    "31mb",
	     broken[] = "\xff\xc3<", lines[] = "a\nb\x1b[2J", good[] = "Gr\xc3\xbc\xc3\x9f";

	(void)state;
	assert_int_equal(parse("{\"at\":\"x\\u001b[2J\\r\\ny\\u007f\"}", &m, &err), 0);
	assert_string_equal(m.text, "x?[2J??y?");
	msg_release(&m);
	text_neutralise(c1, false);
	assert_string_equal(c1, "a??31mb");
	text_neutralise(broken, false);
	assert_string_equal(broken, "?"
	                            "?<");
	text_neutralise(lines, true);
	assert_string_equal(lines, "a\nb?[2J");
	text_neutralise(good, false);
	assert_string_equal(good, "Gr\xc3\xbc\xc3\x9f");
}

static void bytes_of_a_child_are_made_utf8(void **state)
{
	struct err failure = {.msg = "tool: \xff\xfe"}, err = {0};
	auto_strbuf sb = {0};
	struct msg m;

	(void)state;
	msg_error(&sb, &failure);
	assert_int_equal(msg_parse(sb.buf, sb.len - 1, &m, &err), 0);
	assert_string_equal(m.text, "tool: ??");
	msg_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(request_round_trip),
	    cmocka_unit_test(answers_round_trip),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(a_node_cannot_choose_any_exit_code),
	    cmocka_unit_test(terminal_sequences_are_neutralised),
	    cmocka_unit_test(bytes_of_a_child_are_made_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
