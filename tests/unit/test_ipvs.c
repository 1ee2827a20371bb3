/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "ipvs.h"
#include "mem.h"
#include "rules.h"
#include "strbuf.h"
#include "unit.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

/* What kernel 6.1 sends of the service TCP 10.96.0.10:53 with scheduler rr, on a little-endian
 * machine. */
static const unsigned char tcp[] = {
    0x38, 0, 1, 0x80,                 /* IPVS_CMD_ATTR_SERVICE, nested */
    6,    0, 1, 0,    2,   0,   0, 0, /* AF_INET */
    6,    0, 2, 0,    6,   0,   0, 0, /* TCP */
    20,   0, 3, 0,    10,  96,  0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* address */
    6,    0, 4, 0,    0,   53,  0, 0,                                      /* port */
    7,    0, 6, 0,    'r', 'r', 0, 0,                                      /* scheduler */
};

static const unsigned char fwmark[] = {
    0x14, 0, 1, 0, 6, 0, 1, 0, 2, 0, 0, 0, 8, 0, 5, 0, 7, 0, 0, 0,
};

static void a_service_is_read(void **state)
{
	struct ipvs_service s;
	char text[INET6_ADDRSTRLEN];

	(void)state;
	assert_true(ipvs_parse_service(tcp, sizeof(tcp), &s));
	assert_int_equal(s.family, AF_INET);
	assert_int_equal(s.protocol, 6);
	assert_int_equal(s.port, 53);
	assert_false(s.fwmark);
	assert_string_equal(inet_ntop(s.family, s.addr, text, sizeof(text)), "10.96.0.10");
	assert_true(ipvs_parse_service(fwmark, sizeof(fwmark), &s));
	assert_true(s.fwmark);
}

static void cut_off_anywhere_it_is_none_or_less(void **state)
{
	struct ipvs_service s;

	(void)state;
	for (size_t len = 0; len < sizeof(tcp); len++) {
		auto_free unsigned char *copy = xmalloc(len + 1);

		memcpy(copy, tcp, len);
		assert_false(ipvs_parse_service(copy, len, &s));
	}
}

static struct ipvs_service service(const char *addr, uint16_t port)
{
	struct ipvs_service s = {
	    .family = strchr(addr, ':') ? AF_INET6 : AF_INET, .protocol = 6, .port = port};

	inet_pton(s.family, addr, s.addr);
	return s;
}

static void whose_service_it_is(void **state)
{
	auto_strlist cluster = {0}, own = {0}, ports = {0};
	struct ipvs_service mark = service("10.96.0.1", 443);
	static const struct {
		const char *addr;
		uint16_t port;
		bool is;
	} cases[] = {
	    {"10.96.0.1", 443, true},    {"10.96.0.2", 443, false},     /* a stranger's */
	    {"fd00::1", 443, true},      {"10.0.0.1", 30080, true},     /* a node port */
	    {"10.0.0.1", 80, false},     {"169.254.97.2", 6443, false}, /* lvscare's */
	    {"192.0.2.1", 30080, false},
	};

	(void)state;
	strlist_add(&cluster, "10.96.0.1");
	strlist_add(&cluster, "fd00::1");
	strlist_add(&own, "10.0.0.1");
	strlist_add(&ports, "30080");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ipvs_service s = service(cases[i].addr, cases[i].port);

		assert_int_equal(ipvs_is_kube_proxys(&s, &cluster, &own, &ports), cases[i].is);
	}
	mark.fwmark = true;
	assert_false(ipvs_is_kube_proxys(&mark, &cluster, &own, &ports));
}

static void sets_of_kube_proxy(void **state)
{
	auto_strlist names = {0}, ports = {0};

	(void)state;
	rules_sets("create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024\n"
	           "add KUBE-CLUSTER-IP 10.96.0.1,tcp:443\n"
	           "create mine hash:ip family inet\n"
	           "add mine 192.0.2.1\n"
	           "create KUBE-NODE-PORT-TCP bitmap:port range 0-65535\n"
	           "add KUBE-NODE-PORT-TCP 30080\n"
	           "create MY-KUBE- hash:ip\n",
	           &names, &ports);
	assert_int_equal(names.n, 2);
	assert_string_equal(names.v[0], "KUBE-CLUSTER-IP");
	assert_string_equal(names.v[1], "KUBE-NODE-PORT-TCP");
	assert_int_equal(ports.n, 1);
	assert_string_equal(ports.v[0], "30080");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_service_is_read),
	    cmocka_unit_test(cut_off_anywhere_it_is_none_or_less),
	    cmocka_unit_test(whose_service_it_is),
	    cmocka_unit_test(sets_of_kube_proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
