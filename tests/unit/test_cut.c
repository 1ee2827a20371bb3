/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "addrs.h"
#include "err.h"
#include "kernel/cut.h"
#include "mem.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void lines_of_the_kernel(void **state)
{
	static const struct {
		const char *line, *client; /* NULL: not one of ours */
	} cases[] = {
	    {"TCP 0A09000A C3F2 A9FE6102 192B 0A09000B 192B ESTABLISHED     899\n",
	     "10.9.0.10:50162"},
	    {"TCP 0a09000a c3f2 a9fe6102 192b 0a09000b 192b SYN_RECV 3 x y\n", "10.9.0.10:50162"},
	    {"TCP 0A09000A C3F2 A9FE6102 192B 0A09000C 192B ESTABLISHED     899\n", NULL},
	    {"TCP 0A09000A C3F2 A9FE6103 192B 0A09000B 192B ESTABLISHED     899\n", NULL},
	    {"TCP 0A09000A C3F2 A9FE6102 192C 0A09000B 192B ESTABLISHED     899\n", NULL},
	    {"UDP 0A09000A C3F2 A9FE6102 192B 0A09000B 192B UDP     899\n", NULL},
	    {"Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n",
	     NULL},
	    {"TCP 0A09000A C3F2 A9FE6102 192B 0A09000B\n", NULL},
	    {"TCP 0A09000 C3F2 A9FE6102 192B 0A09000B 192B\n", NULL},
	    {"TCP 0A09000A C3F2G A9FE6102 192B 0A09000B 192B\n", NULL},
	    {"TCP 0A09000A C3F2A A9FE6102 192B 0A09000B 192B\n", NULL},
	    {"TCP \n", NULL},
	    {"", NULL},
	};
	struct addr vs = addr("169.254.97.2:6443"), rs = addr("10.9.0.11:6443");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr client, want;

		if (cut_parse(cases[i].line, &vs, &rs, &client) != !!cases[i].client)
			fail_msg("\"%s\"", cases[i].line);
		if (!cases[i].client)
			continue;
		want = addr(cases[i].client);
		assert_true(addr_eq(&client, &want));
	}
}

static void lines_of_ipv6(void **state)
{
	struct addr vs = addr("[fd97::2]:6443"), rs = addr("[fd09::b]:6443"), client,
		    want = addr("[fd09::a]:50162");

	(void)state;
	assert_true(cut_parse("TCP fd09:0000:0000:0000:0000:0000:0000:000a C3F2 "
	                      "fd97:0000:0000:0000:0000:0000:0000:0002 192B "
	                      "fd09:0000:0000:0000:0000:0000:0000:000b 192B ESTABLISHED 899\n",
	                      &vs, &rs, &client));
	assert_true(addr_eq(&client, &want));
}

static void a_file_of_them(void **state)
{
	struct addr vs = addr("169.254.97.2:6443"), rs = addr("10.9.0.11:6443");
	char path[] = "/tmp/test_cut.XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	struct cut c = {0};

	(void)state;
	cut_collect(&c, &vs, &rs, "/nonexistent");
	assert_int_equal(c.n, 0);
	for (unsigned i = 0; i < 9; i++)
		fprintf(f, "TCP 0A09000A %04X A9FE6102 192B 0A0900%02X 192B FIN_WAIT 9\n",
		        40000 + i, i == 4 ? 12 : 11);
	fclose(f);
	cut_collect(&c, &vs, &rs, path);
	assert_int_equal(c.n, 8);
	assert_int_equal(c.client[7].port, 40008);
	cut_release(&c);
	assert_int_equal(c.n, 0);
	c.off = true;
	cut_collect(&c, &vs, &rs, path); /* of no use */
	assert_int_equal(c.n, 0);
	assert_int_equal(cut_run(&c), 0);
	unlink(path);
}

static int listener(struct addr *a)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 2), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*a = (struct addr){.family = AF_INET, .v4 = sin.sin_addr, .port = ntohs(sin.sin_port)};
	return fd;
}

static struct addr own_name(int fd)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	return (struct addr){.family = AF_INET, .v4 = name.sin_addr, .port = ntohs(name.sin_port)};
}

/* A client whose server is cut off, and a listener on the port of a client that lives elsewhere:
 * the kernel finds it for the client's addresses, and it must stay. */
static void sockets_of_this_host(void **state)
{
	struct addr vs, other;
	struct sockaddr_storage sa;
	int server = listener(&vs), stranger = listener(&other);
	int client = socket(AF_INET, SOCK_STREAM, 0), error = 0;
	socklen_t len = addr_sockaddr(&vs, &sa), errlen = sizeof(error);
	struct cut c = {.vs = vs, .n = 2};
	size_t n;

	(void)state;
	assert_int_equal(connect(client, (struct sockaddr *)&sa, len), 0);
	c.client = xcalloc(2, sizeof(*c.client));
	c.client[0] = other;
	c.client[1] = own_name(client);
	n = cut_run(&c);
	cut_release(&c);                    /* what was run is empty */
	assert_int_equal(n, c.off ? 0 : 1); /* off: a kernel that cannot, or not root */
	getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &errlen);
	assert_int_equal(error, c.off ? 0 : ECONNABORTED);
	close(client);
	client = socket(AF_INET, SOCK_STREAM, 0);
	len = addr_sockaddr(&other, &sa);
	assert_int_equal(connect(client, (struct sockaddr *)&sa, len), 0);
	close(client);
	close(server);
	close(stranger);
}

/* More clients than the listener takes: the last one waits for an answer to its SYN, and stays. */
static void who_is_connecting_stays(void **state)
{
	struct sockaddr_storage sa;
	struct tcp_info info = {0};
	struct addr vs;
	int server = listener(&vs), client[8], error = 0;
	socklen_t len = addr_sockaddr(&vs, &sa), infolen = sizeof(info), errlen = sizeof(error);
	struct cut c = {.n = 1};

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		client[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(client[i], (struct sockaddr *)&sa, len);
	}
	assert_int_equal(getsockopt(client[7], IPPROTO_TCP, TCP_INFO, &info, &infolen), 0);
	assert_int_equal(info.tcpi_state, TCP_SYN_SENT);
	c.vs = vs;
	c.client = xcalloc(1, sizeof(*c.client));
	c.client[0] = own_name(client[7]);
	assert_int_equal(cut_run(&c), 0);
	getsockopt(client[7], SOL_SOCKET, SO_ERROR, &error, &errlen);
	assert_int_equal(error, 0);
	for (size_t i = 0; i < 8; i++)
		close(client[i]);
	close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_of_the_kernel),     cmocka_unit_test(lines_of_ipv6),
	    cmocka_unit_test(a_file_of_them),          cmocka_unit_test(sockets_of_this_host),
	    cmocka_unit_test(who_is_connecting_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
