/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
/* In a network namespace of its own, on this kernel's nftables. */
#include "addrs.h"
#include "events.h"
#include "kernel/drop.h"
#include "kernel/nftmsg.h"
#include "mem.h"
#include "strbuf.h"
#include "unit.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAITS -1 /* no answer */

/* What a first packet to this address gets within 150 ms: an errno, 0 or WAITS. */
static int first_packet(const char *to)
{
	struct addr a = server(to);
	struct sockaddr_storage sa;
	socklen_t len = addr_sockaddr(&a, &sa), optlen = sizeof(int);
	auto_close int fd = socket(a.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = 0;

	if (connect(fd, (struct sockaddr *)&sa, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (poll(&p, 1, 150) == 0)
		return WAITS;
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &optlen), 0);
	return error;
}

static void commit(struct drop *d, struct strbuf *batch)
{
	uint32_t refused;

	assert_int_equal(nlsock_commit(&d->nft.sock, batch, &refused), 0);
}

static void first_packets_wait(const char *vs_text, const char *other_port)
{
	struct addr vs = server(vs_text);
	struct drop d = {0};
	struct events ev;
	struct err err = {0};

	events_init(&ev, 0);
	assert_int_equal(first_packet(vs_text), ECONNREFUSED);
	drop_apply(&d, &vs, &ev);
	assert_int_equal(ev.changed[CHANGE_DROP_RULE], 1);
	assert_int_equal(first_packet(vs_text), WAITS);
	assert_int_equal(first_packet(other_port), ECONNREFUSED);
	for (int i = 0; i < 3; i++)
		drop_apply(&d, &vs, &ev);
	drop_release(&d); /* another process finds it as it is */
	drop_apply(&d, &vs, &ev);
	assert_int_equal(ev.total, 1);
	assert_int_equal(drop_remove(&d, &vs, &ev, &err), 0);
	assert_int_equal(first_packet(vs_text), ECONNREFUSED);
	assert_int_equal(drop_remove(&d, &vs, &ev, &err), 0); /* none is fine */
	assert_int_equal(ev.total, 2);
	drop_release(&d);
}

static void first_packets_of_both_families_wait(void **state)
{
	(void)state;
	first_packets_wait("127.9.0.1", "127.9.0.1:6444");
	first_packets_wait("::1", "[::1]:6444");
}

/* Edits by others: each is undone by the next look. */
static void edits_are_undone(void **state)
{
	struct addr vs = server("127.9.0.1"), other = server("127.9.0.2");
	struct nftplan p = {.vs = vs};
	struct drop d = {0};
	struct events ev;
	struct err err = {0};

	(void)state;
	events_init(&ev, 0);
	drop_apply(&d, &vs, &ev);
	nftplan_drop_name(p.table, &vs);
	for (int i = 0; i < 3; i++) {
		auto_strbuf batch = {0};

		if (i == 0) {
			nft_encode_remove(&batch, vs.family, p.table, 0);
		} else if (i == 1) { /* a rule for another address in its place */
			p.vs = other;
			nft_encode_write_drop(&batch, &p, true, 0);
		} else { /* and one of a virtual server of nftables */
			struct rules r = {.vs = vs, .scheduler = "rr", .n = 1};

			r.dest[0] = (struct rules_dest){.addr = other, .weight = 1};
			nftplan_make(&p, &r);
			nftplan_drop_name(p.table, &vs);
			nft_encode_write(&batch, &p, true, 0);
		}
		commit(&d, &batch);
		assert_int_not_equal(first_packet("127.9.0.1"), WAITS);
		drop_apply(&d, &vs, &ev);
		assert_int_equal(first_packet("127.9.0.1"), WAITS);
	}
	assert_int_equal(ev.changed[CHANGE_DROP_RULE], 4);
	assert_int_equal(drop_remove(&d, &vs, &ev, &err), 0);
	drop_release(&d);
}

static int listener(const char *at)
{
	struct addr a = server(at);
	struct sockaddr_storage sa;
	socklen_t len = addr_sockaddr(&a, &sa);
	int fd = socket(a.family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* Both ends of a connection through the virtual server. */
static void connect_through(const char *vs_text, int listening, int ends[2])
{
	struct addr a = server(vs_text);
	struct sockaddr_storage sa;
	socklen_t len = addr_sockaddr(&a, &sa);

	ends[0] = socket(a.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(ends[0], (struct sockaddr *)&sa, len), 0);
	ends[1] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	assert_true(ends[1] >= 0);
}

/* What a byte that is sent comes to within ms: 0 when one arrives, an errno, or WAITS. Bytes of
 * earlier calls may arrive in both directions. */
static int send_byte(int from, int to, int ms)
{
	struct pollfd p[2] = {{.fd = from, .events = POLLIN}, {.fd = to, .events = POLLIN}};
	char bytes[8] = "x";

	if (send(from, bytes, 1, MSG_NOSIGNAL) < 0)
		return errno;
	while (poll(p, 2, ms) > 0) {
		if (p[1].revents)
			return recv(to, bytes, sizeof(bytes), 0) > 0 ? 0 : errno;
		if (recv(from, bytes, sizeof(bytes), 0) < 0)
			return errno;
	}
	return WAITS;
}

/* Connections outlive a flush of the rules that carry them: nftables' here, in place of IPVS. */
static void connections_outlive_a_flush(void **state)
{
	struct rules r = {.vs = server("127.9.0.3"), .scheduler = "rr", .n = 1};
	auto_close int listening = listener("127.0.0.2:7443");
	struct nft forward;
	struct nftplan p;
	struct drop d = {0};
	struct events ev;
	struct err err = {0};

	(void)state;
	events_init(&ev, 0);
	r.dest[0] = (struct rules_dest){.addr = server("127.0.0.2:7443"), .weight = 1};
	nftplan_make(&p, &r);
	assert_int_equal(nft_open(&forward, &err), 0);
	for (int i = 0; i < 4; i++) {
		bool with = i / 2, reply = i % 2; /* the rules are there; the server sends */
		int ends[2], *from = &ends[reply], *to = &ends[!reply];

		if (with)
			drop_apply(&d, &r.vs, &ev);
		assert_int_equal(nft_apply(&forward, &r, &ev, &err), 0);
		connect_through("127.9.0.3", listening, ends);
		assert_int_equal(send_byte(ends[0], ends[1], 1000), 0);
		assert_int_equal(send_byte(ends[1], ends[0], 1000), 0);
		assert_int_equal(nft_remove_table(&forward, AF_INET, p.table), 0);
		assert_int_equal(send_byte(*from, *to, 300), with ? WAITS : ECONNRESET);
		assert_int_equal(nft_apply(&forward, &r, &ev, &err), 0);
		if (with) { /* TCP sends it again */
			assert_int_equal(send_byte(*from, *to, 3000), 0);
			assert_int_equal(send_byte(*to, *from, 3000), 0);
		}
		close(ends[0]);
		close(ends[1]);
	}
	assert_int_equal(nft_remove_table(&forward, AF_INET, p.table), 0);
	nft_release(&forward);
	drop_release(&d);
}

static int own_namespace(void **state)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	auto_close int fd = -1;

	(void)state;
	log_init("lvscare", LOG_LVL_ERROR);
	if (unshare(CLONE_NEWNET | (geteuid() ? CLONE_NEWUSER : 0)) < 0)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return ioctl(fd, SIOCSIFFLAGS, &lo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_packets_of_both_families_wait),
	    cmocka_unit_test(edits_are_undone),
	    cmocka_unit_test(connections_outlive_a_flush),
	};

	return cmocka_run_group_tests(tests, own_namespace, NULL);
}
