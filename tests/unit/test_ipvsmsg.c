/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "addrs.h"
#include "err.h"
#include "kernel/genl.h"
#include "kernel/ipvsmsg.h"
#include "unit.h"

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <string.h>

#define FAMILY 0x20

static struct span body_of(const struct nlmsg *m)
{
	return (struct span){m->data + sizeof(struct nlmsghdr), m->len - sizeof(struct nlmsghdr)};
}

static void a_new_service_has_these_bytes(void **state)
{
	static const uint8_t
	    golden[] =
		{
		    0x68, 0, 0, 0,    FAMILY, 0,    0,    0,    0,    0,    0,    0,    0,
		    0,    0, 0,                              /* nlmsghdr
	                                                      */
		    1,    1, 0, 0,                           /* NEW_SERVICE, version 1 */
		    0x54, 0, 1, 0x80,                        /* nested SERVICE */
		    6,    0, 1, 0,    2,      0,    0,    0, /* AF_INET */
		    6,    0, 2, 0,    6,      0,    0,    0, /* TCP */
		    20,   0, 3, 0,    169,    254,  97,   2,    0,    0,    0,    0,    0,
		    0,    0, 0, 0,    0,      0,    0,       /* address */
		    6,    0, 4, 0,    0x19,   0x2b, 0,    0, /* port 6443 */
		    7,    0, 6, 0,    'r',    'r',  0,    0, /* scheduler */
		    12,   0, 7, 0,    0,      0,    0,    0,    0xff, 0xff, 0xff, 0xff, /* flags 0,
	                                                                                 * mask all
	                                                                                 */
		    8,    0, 8, 0,    0,      0,    0,    0,    /* timeout */
		    8,    0, 9, 0,    0xff,   0xff, 0xff, 0xff, /* netmask */
		};
	struct ipvs_service svc = {
	    .addr = addr("169.254.97.2:6443"), .scheduler = "rr", .netmask = 0xffffffff};
	struct nlmsg m;

	(void)state;
	ipvs_encode_service(&m, FAMILY, IPVS_CMD_NEW_SERVICE, &svc, true);
	assert_int_equal(m.len, sizeof(golden));
	assert_memory_equal(m.data, golden, sizeof(golden));
}

static void a_new_destination_has_these_bytes(void **state)
{
	static const uint8_t golden[] = {
	    44, 0, 2, 0x80,                                                       /* nested DEST */
	    20, 0, 1, 0,    10,   0,    0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* address */
	    6,  0, 2, 0,    0x19, 0x2b, 0, 0,                                     /* port 6443 */
	    8,  0, 3, 0,    0,    0,    0, 0, 8, 0, 4, 0, 1, 0, 0, 0, /* masquerading, weight 1 */
	};
	struct addr vs = addr("169.254.97.2:6443");
	struct ipvs_dest dest = {.addr = addr("10.0.0.1:6443"), .weight = 1};
	struct nlmsg m;
	const uint8_t *at;

	(void)state;
	ipvs_encode_dest(&m, FAMILY, IPVS_CMD_NEW_DEST, &vs, &dest, true);
	at = m.data + 16 + 4 + 48; /* behind both headers and the service's identity */
	assert_int_equal(m.len, 16 + 4 + 48 + 64);
	assert_int_equal(at[0], 64 - 4 + 4); /* with both thresholds */
	assert_memory_equal(at + 4, golden + 4, sizeof(golden) - 4);
}

static void services_come_back_as_they_went(void **state)
{
	static const char *const at[] = {"169.254.97.2:6443", "[fd97::2]:65535"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct ipvs_service in = {.addr = addr(at[i]),
		                          .scheduler = "wlc",
		                          .flags = IP_VS_SVC_F_PERSISTENT | IP_VS_SVC_F_HASHED,
		                          .timeout = 300,
		                          .netmask = 64};
		struct ipvs_service out;
		struct nlmsg m;

		ipvs_encode_service(&m, FAMILY, IPVS_CMD_SET_SERVICE, &in, true);
		assert_true(ipvs_decode_service(body_of(&m), &out));
		assert_true(addr_eq(&in.addr, &out.addr));
		assert_string_equal(out.scheduler, "wlc");
		assert_int_equal(out.flags, IP_VS_SVC_F_PERSISTENT); /* without the kernel's own */
		assert_int_equal(out.timeout, 300);
		assert_int_equal(out.netmask, 64);
	}
}

/* A destination as kernels dump it: 16 bytes of address, with or without a family. */
static void put_kernel_dest(struct nlmsg *m, const char *bytes, int family)
{
	size_t nest;

	genl_begin(m, FAMILY, IPVS_CMD_NEW_DEST, 1, 0);
	nest = nlmsg_nest(m, IPVS_CMD_ATTR_DEST);
	nlmsg_put(m, IPVS_DEST_ATTR_ADDR, bytes, 16);
	nlmsg_put_u16(m, IPVS_DEST_ATTR_PORT, htons(6443));
	nlmsg_put_u32(m, IPVS_DEST_ATTR_FWD_METHOD, IP_VS_CONN_F_DROUTE | IP_VS_CONN_F_HASHED);
	nlmsg_put_u32(m, IPVS_DEST_ATTR_WEIGHT, 5);
	if (family >= 0)
		nlmsg_put_u16(m, IPVS_DEST_ATTR_ADDR_FAMILY, (uint16_t)family);
	nlmsg_end(m, nest);
}

static void old_kernels_do_not_say_the_family(void **state)
{
	static const char v4[16] = {10, (char)201, 2, (char)162};
	static const int families[] = {-1, AF_UNSPEC, AF_INET};
	char name[ADDR_STR_MAX];
	struct ipvs_dest out;
	struct nlmsg m;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		put_kernel_dest(&m, v4, families[i]);
		assert_true(ipvs_decode_dest(body_of(&m), AF_INET, &out));
		assert_string_equal(addr_str(&out.addr, name), "10.201.2.162:6443");
		assert_int_equal(out.weight, 5);
		assert_int_equal(out.method, IP_VS_CONN_F_DROUTE); /* other flags are dropped */
	}
	put_kernel_dest(&m, v4, -1);
	assert_true(ipvs_decode_dest(body_of(&m), AF_INET6, &out));
	assert_int_equal(out.addr.family, AF_INET6);
	put_kernel_dest(&m, v4, 99);
	assert_false(ipvs_decode_dest(body_of(&m), AF_INET, &out));
}

static void what_is_not_ours_is_not_understood(void **state)
{
	struct ipvs_service svc;
	struct ipvs_dest dest;
	struct nlmsg m;
	size_t nest;

	(void)state;
	genl_begin(&m, FAMILY, IPVS_CMD_NEW_SERVICE, 1, 0);
	nest = nlmsg_nest(&m, IPVS_CMD_ATTR_SERVICE);
	nlmsg_put_u16(&m, IPVS_SVC_ATTR_AF, AF_INET);
	nlmsg_put_u32(&m, IPVS_SVC_ATTR_FWMARK, 7); /* known by its mark, no address */
	nlmsg_end(&m, nest);
	assert_false(ipvs_decode_service(body_of(&m), &svc));
	assert_int_equal(svc.addr.family, 0);
	assert_false(ipvs_decode_dest(body_of(&m), AF_INET, &dest));
	assert_false(ipvs_decode_service((struct span){m.data, 2}, &svc));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_new_service_has_these_bytes),
	    cmocka_unit_test(a_new_destination_has_these_bytes),
	    cmocka_unit_test(services_come_back_as_they_went),
	    cmocka_unit_test(old_kernels_do_not_say_the_family),
	    cmocka_unit_test(what_is_not_ours_is_not_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
