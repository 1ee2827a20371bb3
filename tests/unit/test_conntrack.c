/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "addrs.h"
#include "err.h"
#include "kernel/conntrack.h"
#include "nftanswers.h"
#include "unit.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <string.h>

/* The body of a recorded answer's one message. */
static struct span answer(const char *hex)
{
	static uint8_t buf[1024];
	struct span in = {buf, 0}, body = {0};
	struct nlmsghdr hdr;

	for (unsigned v; sscanf(hex + 2 * in.len, "%2x", &v) == 1; in.len++)
		buf[in.len] = (uint8_t)v;
	assert_true(nlmsg_next(&in, &hdr, &body));
	return body;
}

static void connections_as_the_kernel_tells(void **state)
{
	static const struct {
		const char *answer, *client, *to, *server;
	} told[] = {{conntrack_v4, "10.9.0.1", "169.254.97.2:6443", "10.9.0.3:6443"},
	            {conntrack_v6, "fd09::1", "[fd97::2]:6443", "[fd09::3]:6443"}};
	char name[ADDR_STR_MAX];
	struct flow f;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct span body = answer(told[i].answer);

		assert_true(conntrack_decode(body, &f));
		assert_string_equal(addr_host(&f.client, name), told[i].client);
		assert_true(f.client.port > 1024);
		assert_string_equal(addr_str(&f.to, name), told[i].to);
		assert_string_equal(addr_str(&f.server, name), told[i].server);
		assert_true(f.established);
		for (size_t len = 0; len < body.len; len++)
			conntrack_decode((struct span){body.p, len}, &f);
	}
}

static struct span attribute(const struct nlmsg *m, uint16_t type)
{
	struct span body = {m->data + sizeof(struct nlmsghdr), m->len - sizeof(struct nlmsghdr)};
	struct span tb[CTA_MAX + 1];

	assert_true(span_take(&body, NULL, sizeof(struct nfgenmsg)));
	attr_table(body, tb, CTA_MAX + 1);
	return tb[type];
}

static void one_is_forgotten_by_its_id(void **state)
{
	struct flow f = {.client = addr("10.9.0.1:40000"),
	                 .to = addr("169.254.97.2:6443"),
	                 .server = addr("10.9.0.3:6443"),
	                 .id = htonl(0x01020304)};
	static const uint8_t golden[] = {
	    80, 0, 0,  0,   2,    1,    0,  0, 0,  0, 0, 0, 0,    0,    0, 0, /* delete */
	    2,  0, 0,  0,                                                     /* IPv4 */
	    52, 0, 1,  128,                                                   /* as it began */
	    20, 0, 1,  128, 8,    0,    1,  0, 10, 9, 0, 1,                   /* from */
	    8,  0, 2,  0,   169,  254,  97, 2,                                /* to */
	    28, 0, 2,  128, 5,    0,    1,  0, 6,  0, 0, 0,                   /* TCP */
	    6,  0, 2,  0,   0x9c, 0x40, 0,  0, 6,  0, 3, 0, 0x19, 0x2b, 0, 0,
	    8,  0, 12, 0,   1,    2,    3,  4}; /* this very one */
	struct nlmsg m;

	(void)state;
	conntrack_encode_forget(&m, &f);
	assert_int_equal(m.len, sizeof(golden));
	assert_memory_equal(m.data + 16, golden + 16, sizeof(golden) - 16);
	assert_int_equal(m.data[4], 2);
	assert_int_equal(m.data[5], 1);
}

static void a_list_is_asked_by_address_and_port(void **state)
{
	static const char *const vs[] = {"169.254.97.2:6443", "[fd97::2]:6443"};
	static const uint32_t flags[] = {2 | 8 | 32, 8 | 32}; /* IPv6 by port: kernels fail there */

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct addr a = addr(vs[i]);
		struct span tb[CTA_FILTER_REPLY_FLAGS + 1];
		struct nlmsg m;
		uint32_t got;

		conntrack_encode_list(&m, &a);
		assert_true(attribute(&m, CTA_TUPLE_ORIG).p);
		attr_table(attribute(&m, CTA_FILTER), tb, CTA_FILTER_REPLY_FLAGS + 1);
		assert_true(attr_u32(tb[CTA_FILTER_ORIG_FLAGS], &got));
		assert_int_equal(got, flags[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(connections_as_the_kernel_tells),
	    cmocka_unit_test(one_is_forgotten_by_its_id),
	    cmocka_unit_test(a_list_is_asked_by_address_and_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
