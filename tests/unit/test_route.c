/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "addrs.h"
#include "err.h"
#include "kernel/route.h"
#include "unit.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

static struct span body_of(const struct nlmsg *m)
{
	return (struct span){m->data + sizeof(struct nlmsghdr), m->len - sizeof(struct nlmsghdr)};
}

static struct route local_route(const char *vip, const char *src, uint8_t bits)
{
	return (struct route){.dst = addr(vip),
	                      .src = addr(src),
	                      .dst_len = bits,
	                      .type = RTN_LOCAL,
	                      .proto = ROUTE_PROTO,
	                      .table = RT_TABLE_LOCAL,
	                      .oif = 1};
}

static void the_route_has_these_bytes(void **state)
{
	static const uint8_t golden[] = {
	    52, 0,  0, 0, 24,  0,   0,   4, 0, 0, 0, 0, 0,  0, 0, 0, /* RTM_NEWROUTE, NLM_F_CREATE
	                                                              */
	    2,  32, 0, 0, 255, 197, 254, 2, 0, 0, 0, 0, /* local, proto 197, scope host */
	    8,  0,  1, 0, 169, 254, 97,  2, 8, 0, 7, 0, 10, 0, 0, 7, 8, 0, 4, 0, 1, 0, 0, 0,
	};
	struct route r = local_route("169.254.97.2", "10.0.0.7", 32);
	struct nlmsg m;

	(void)state;
	route_encode(&m, RTM_NEWROUTE, NLM_F_CREATE, &r);
	assert_int_equal(m.len, sizeof(golden));
	assert_memory_equal(m.data, golden, sizeof(golden));
}

static void routes_come_back_as_they_went(void **state)
{
	struct route in = local_route("fd97::2", "fd00::7", 128);
	struct route out;
	struct nlmsg m;

	(void)state;
	route_encode(&m, RTM_NEWROUTE, 0, &in);
	nlmsg_put_u32(&m, RTA_TABLE, 1000); /* counts more than the header's 8 bits */
	assert_true(route_decode(body_of(&m), &out));
	assert_true(addr_same_host(&in.dst, &out.dst));
	assert_true(addr_same_host(&in.src, &out.src));
	assert_int_equal(out.dst_len, 128);
	assert_int_equal(out.table, 1000);
	assert_int_equal(out.proto, ROUTE_PROTO);
	assert_int_equal(out.oif, 1);
}

static void short_and_foreign_messages(void **state)
{
	struct rtmsg rt = {.rtm_family = AF_INET, .rtm_dst_len = 32};
	struct ifaddrmsg ifa = {.ifa_family = AF_INET6, .ifa_prefixlen = 64};
	struct route out;
	struct nlmsg m;
	struct cidr a;

	(void)state;
	nlmsg_begin(&m, RTM_NEWROUTE, 0);
	nlmsg_fixed(&m, &rt, sizeof(rt));
	nlmsg_put(&m, RTA_DST, "\x0a\x00", 2); /* too short for an address */
	assert_true(route_decode(body_of(&m), &out));
	assert_int_equal(out.dst.family, 0);
	assert_false(route_decode((struct span){m.data, 4}, &out));
	rt.rtm_family = AF_UNIX;
	nlmsg_begin(&m, RTM_NEWROUTE, 0);
	nlmsg_fixed(&m, &rt, sizeof(rt));
	assert_false(route_decode(body_of(&m), &out));

	nlmsg_begin(&m, RTM_NEWADDR, 0);
	nlmsg_fixed(&m, &ifa, sizeof(ifa));
	assert_false(route_decode_address(body_of(&m), &a));
	nlmsg_put(&m, IFA_ADDRESS, &in6addr_loopback, 16);
	assert_true(route_decode_address(body_of(&m), &a));
	assert_memory_equal(&a.addr.v6, &in6addr_loopback, 16);
	assert_int_equal(a.bits, 64);
	ifa.ifa_prefixlen = 129;
	nlmsg_begin(&m, RTM_NEWADDR, 0);
	nlmsg_fixed(&m, &ifa, sizeof(ifa));
	nlmsg_put(&m, IFA_ADDRESS, &in6addr_loopback, 16);
	assert_false(route_decode_address(body_of(&m), &a));
}

/* The kernel's loopback interface is there in every network namespace. */
static void questions_to_the_kernel(void **state)
{
	struct addr loopback = addr("127.0.0.1"), other = addr("192.0.2.77"), src;
	struct addr nowhere = addr("240.0.0.1");
	struct err err = {0};
	struct route r;
	struct cidr net;
	struct nlsock s;
	bool own = false;

	(void)state;
	assert_int_equal(nlsock_open(&s, NETLINK_ROUTE, &err), 0);
	assert_int_equal(route_own_address(&s, &loopback, &own, &err), 0);
	assert_true(own);
	assert_int_equal(route_own_address(&s, &other, &own, &err), 0);
	assert_false(own);
	assert_int_equal(route_network(&s, &loopback, &net, &err), 0);
	assert_int_equal(net.bits, 8);
	assert_int_equal(route_network(&s, &nowhere, &net, &err), 0);
	assert_int_equal(net.addr.family, 0);
	assert_int_equal(route_read(&s, &other, &r, &err), 0);
	assert_int_equal(r.dst.family, 0);
	assert_int_equal(route_source(&s, &loopback, &src), 0);
	assert_memory_equal(&src.v4, &loopback.v4, 4);
	nlsock_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_route_has_these_bytes),
	    cmocka_unit_test(routes_come_back_as_they_went),
	    cmocka_unit_test(short_and_foreign_messages),
	    cmocka_unit_test(questions_to_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
