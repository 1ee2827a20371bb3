// SPDX-License-Identifier: Apache-2.0
#include "quote.h"
#include "strbuf.h"
#include "unit.h"

#include <jansson.h>

static void strings(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"", "\"\""},
	    {"plain words: 1", "\"plain words: 1\""},
	    {"say \"no\" \\ yes", "\"say \\\"no\\\" \\\\ yes\""},
	    {"a\nb\tc\rd\be\ff", "\"a\\nb\\tc\\rd\\be\\ff\""},
	    {"\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\""},
	    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
	    {"\x80", "\"\\ufffd\""},            /* nothing begins like this */
	    {"\xc0\xaf", "\"\\ufffd\\ufffd\""}, /* overlong */
	    {"\xe0\x80\x80", "\"\\ufffd\\ufffd\\ufffd\""},
	    {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* half of a pair */
	    {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
	    {"\xff", "\"\\ufffd\""},
	    {"\xe2\x82", "\"\\ufffd\\ufffd\""}, /* cut off */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_strbuf sb = {0};

		quote_json(&sb, cases[i].in);
		assert_string_equal(strbuf_str(&sb), cases[i].out);
	}
}

/* Whatever the bytes: another parser takes it, and gives valid ones back as they were. */
static void every_pair_of_bytes_is_json(void **state)
{
	(void)state;
	for (unsigned i = 1; i < 65536; i++) {
		char in[3] = {(char)(i >> 8 ? i >> 8 : i), (char)(i >> 8 ? i & 0xff : 0), 0};
		auto_strbuf sb = {0};
		json_t *parsed;

		quote_json(&sb, in);
		parsed = json_loads(strbuf_str(&sb), JSON_DECODE_ANY, NULL);
		if (!parsed)
			fail_msg("%02x %02x gave %s", (unsigned char)in[0], (unsigned char)in[1],
			         strbuf_str(&sb));
		if ((unsigned char)in[0] < 0x80 && (unsigned char)in[1] < 0x80)
			assert_string_equal(json_string_value(parsed), in);
		json_decref(parsed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(strings),
	    cmocka_unit_test(every_pair_of_bytes_is_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
