/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockdiag.h"
#include "unit.h"

#include <string.h>

static const struct addr client = {.family = AF_INET, .bytes = {10, 9, 0, 10}, .port = 0xc3f2};
static const struct addr vs = {.family = AF_INET, .bytes = {169, 254, 97, 2}, .port = 6443};

static void what_the_kernel_is_asked(void **state)
{
	static const uint8_t golden[] = {
	    72,  0,   0,  0, 20,   0,    0,    0,    0,    0,    0,    0,    0,    0,
	    0,   0, /* SOCK_DIAG_BY_FAMILY */
	    2,   6,   0,  0, 0xff, 0xff, 0xff, 0xff, 0xc3, 0xf2, 0x19, 0x2b, 10,   9,
	    0,   10,  0,  0, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
	    169, 254, 97, 2, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
	    0,   0,   0,  0, 0,    0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	};
	struct sockdiag s = {.local = client, .remote = vs, .cookie = {7, 8}};
	struct nlmsg m;

	(void)state;
	sockdiag_encode_find(&m, &client, &vs);
	assert_int_equal(m.len, sizeof(golden));
	assert_memory_equal(m.data, golden, sizeof(golden));
	sockdiag_encode_destroy(&m, &s);
	assert_int_equal(m.data[4], SOCK_DESTROY);
	assert_int_equal(m.data[64], 7);
	assert_int_equal(m.data[68], 8);
}

static void what_it_answers(void **state)
{
	struct inet_diag_msg msg = {
	    .idiag_family = AF_INET,
	    .idiag_state = 1,
	    .id = {.idiag_sport = 0xf2c3, .idiag_dport = 0x2b19, .idiag_cookie = {7, 8}}};
	struct span body = {(const uint8_t *)&msg, sizeof(msg)};
	struct sockdiag s;

	(void)state;
	memcpy(msg.id.idiag_src, client.bytes, 4);
	memcpy(msg.id.idiag_dst, vs.bytes, 4);
	assert_true(sockdiag_decode(body, &s));
	assert_true(addr_eq(&s.local, &client) && addr_eq(&s.remote, &vs));
	assert_int_equal(s.state, 1);
	assert_int_equal(s.cookie[1], 8);
	body.len--;
	assert_false(sockdiag_decode(body, &s));
	body.len++;
	msg.idiag_family = AF_UNIX;
	assert_false(sockdiag_decode(body, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_the_kernel_is_asked),
	    cmocka_unit_test(what_it_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
