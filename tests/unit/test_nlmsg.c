/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "kernel/genl.h"
#include "kernel/nlmsg.h"
#include "unit.h"

#include <linux/genetlink.h>
#include <string.h>

static void a_family_request_has_these_bytes(void **state)
{
	static const uint8_t golden[] = {
	    32, 0, 0, 0, 16,  0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, /* nlmsghdr: nlctrl */
	    3,  1, 0, 0,                                 /* CTRL_CMD_GETFAMILY, version 1 */
	    9,  0, 2, 0, 'I', 'P', 'V', 'S', 0, 0, 0, 0, /* the name and its padding */
	};
	struct nlmsg m;

	(void)state;
	genl_encode_find(&m, "IPVS");
	assert_int_equal(m.len, sizeof(golden));
	assert_memory_equal(m.data, golden, sizeof(golden));
}

static void a_family_answer_is_read(void **state)
{
	struct span body;
	struct nlmsg m;
	uint16_t family = 0;

	(void)state;
	genl_begin(&m, GENL_ID_CTRL, CTRL_CMD_NEWFAMILY, 2, 0);
	nlmsg_put_str(&m, CTRL_ATTR_FAMILY_NAME, "IPVS");
	nlmsg_put_u16(&m, CTRL_ATTR_FAMILY_ID, 0x1c);
	body = (struct span){m.data + sizeof(struct nlmsghdr), m.len - sizeof(struct nlmsghdr)};
	assert_true(genl_decode_find(body, &family));
	assert_int_equal(family, 0x1c);
	body.len = 3;
	assert_false(genl_decode_find(body, &family));
}

static void nested_attributes_know_their_length(void **state)
{
	struct span tb[4], in;
	struct nlmsg m;
	size_t nest;
	uint32_t v = 0;

	(void)state;
	nlmsg_begin(&m, 99, 0);
	nest = nlmsg_nest(&m, 1);
	nlmsg_put_u32(&m, 2, 77);
	nlmsg_end(&m, nest);
	nlmsg_put_u16(&m, 3, 5);
	attr_table((struct span){m.data + 16, m.len - 16}, tb, 4);
	assert_non_null(tb[1].p);
	assert_int_equal(tb[1].len, 8);
	assert_int_equal(tb[3].len, 2);
	in = tb[1];
	attr_table(in, tb, 4);
	assert_true(attr_u32(tb[2], &v));
	assert_int_equal(v, 77);
	assert_null(tb[1].p);
}

static void malformed_attributes_end_the_table(void **state)
{
	/* a good one of type 1, then one that says it is longer than the message */
	uint8_t data[] = {8, 0, 1, 0, 1, 2, 3, 4, 200, 0, 2, 0, 9, 9, 9, 9};
	struct span tb[3];
	char text[4];
	uint16_t v;

	(void)state;
	attr_table((struct span){data, sizeof(data)}, tb, 3);
	assert_non_null(tb[1].p);
	assert_null(tb[2].p);
	data[8] = 3; /* shorter than its own header */
	attr_table((struct span){data, sizeof(data)}, tb, 3);
	assert_null(tb[2].p);
	data[0] = 5; /* one byte of payload is no u16 */
	attr_table((struct span){data, sizeof(data)}, tb, 3);
	assert_false(attr_u16(tb[1], &v));
	assert_false(attr_str(tb[0], text, sizeof(text)));
	assert_true(attr_str((struct span){(const uint8_t *)"abcdef", 6}, text, sizeof(text)));
	assert_string_equal(text, "abc");
	attr_table((struct span){0}, tb, 3);
	assert_null(tb[1].p);
}

static void messages_are_taken_one_by_one(void **state)
{
	struct nlmsg a, b;
	uint8_t data[256];
	struct nlmsghdr hdr;
	struct span in, body;

	(void)state;
	nlmsg_begin(&a, 20, 0);
	nlmsg_put_u32(&a, 1, 1);
	nlmsg_begin(&b, 21, 0);
	memcpy(data, a.data, a.len);
	memcpy(data + a.len, b.data, b.len);
	in = (struct span){data, a.len + b.len};
	assert_true(nlmsg_next(&in, &hdr, &body));
	assert_int_equal(hdr.nlmsg_type, 20);
	assert_int_equal(body.len, 8);
	assert_true(nlmsg_next(&in, &hdr, &body));
	assert_int_equal(hdr.nlmsg_type, 21);
	assert_int_equal(body.len, 0);
	assert_false(nlmsg_next(&in, &hdr, &body));
	in = (struct span){data, a.len - 1}; /* cut */
	assert_false(nlmsg_next(&in, &hdr, &body));
	memset(data, 0, sizeof(data)); /* length 0 must not loop for ever */
	in = (struct span){data, sizeof(data)};
	assert_false(nlmsg_next(&in, &hdr, &body));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_family_request_has_these_bytes),
	    cmocka_unit_test(a_family_answer_is_read),
	    cmocka_unit_test(nested_attributes_know_their_length),
	    cmocka_unit_test(malformed_attributes_end_the_table),
	    cmocka_unit_test(messages_are_taken_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
