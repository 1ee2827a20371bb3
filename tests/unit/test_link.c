/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include "err.h"
#include "link.h"
#include "proto.h"
#include "strbuf.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A link and the descriptor of its other end. */
static int pair(struct link *l)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	link_init_fd(l, sv[0], -1);
	return sv[1];
}

static void put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void take(struct link *l, const char *op)
{
	struct msg m;
	struct err err = {0};

	assert_int_equal(link_take(l, &m, &err), 1);
	assert_int_equal(m.kind, MSG_REQUEST);
	assert_string_equal(m.text, op);
	msg_release(&m);
}

static void takes_what_is_there(void **state)
{
	struct link l;
	struct msg m;
	struct err err = {0};
	struct pollfd p;
	int fd = pair(&l);

	(void)state;
	assert_int_equal(link_take(&l, &m, &err), 0);
	link_pollfd(&l, &p);
	assert_int_equal(poll(&p, 1, 0), 0);
	put(fd, "{\"op\":\"a\"}\n{\"op\":\"b\"}\n{\"op\":");
	assert_int_equal(poll(&p, 1, 0), 1);
	take(&l, "a");
	take(&l, "b");
	assert_int_equal(link_take(&l, &m, &err), 0);
	put(fd, "\"c\"}\n");
	take(&l, "c");
	close(fd);
	assert_int_equal(link_take(&l, &m, &err), -1);
	assert_string_equal(err.msg, "the program on the node ended");
	link_release(&l);
}

static void nonsense_is_a_failure(void **state)
{
	struct link l;
	struct msg m;
	struct err err = {0};
	int fd = pair(&l);

	(void)state;
	put(fd, "Welcome\n");
	assert_int_equal(link_take(&l, &m, &err), -1);
	assert_memory_equal(err.msg, "protocol: not a message", 23);
	close(fd);
	link_release(&l);
}

static void waits_no_longer_than_asked(void **state)
{
	struct link l;
	struct msg m;
	struct err err = {0};
	int fd = pair(&l);
	long long began = now_ms();

	(void)state;
	put(fd, "{\"op\":");
	assert_int_equal(link_receive(&l, 100, &m, &err), -1);
	assert_string_equal(err.msg, "no answer in time");
	assert_true(now_ms() - began >= 100);
	put(fd, "\"late\"}\n");
	assert_int_equal(link_receive(&l, 100, &m, &err), 0);
	assert_string_equal(m.text, "late");
	msg_release(&m);
	close(fd);
	link_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_what_is_there),
	    cmocka_unit_test(nonsense_is_a_failure),
	    cmocka_unit_test(waits_no_longer_than_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
