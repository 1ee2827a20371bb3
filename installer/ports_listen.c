// SPDX-License-Identifier: Apache-2.0
/*
 * op "listen": a process of its own answers on some ports for a while. It ends by its deadline, by
 * {stop:true}, and with the process that started it, however that ends.
 */
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "net.h"
#include "node.h"
#include "ports.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKETS_MAX 16
#define CLIENTS_MAX 1024
#define SECONDS_MAX 600
#define ANSWER_MAX  (sizeof(PORTS_WORD) + PORTS_NONCE_LEN)

struct listener {
	struct pollfd p[SOCKETS_MAX + CLIENTS_MAX]; /* sockets, then connections */
	bool udp[SOCKETS_MAX];
	nfds_t sockets, clients;
	char answer[ANSWER_MAX];
	long long end; /* ms, monotonic */
};

/* ---- the process ---- */

/* A connection is answered at once and closed by its client: no TIME_WAIT stays on our port. */
static void accept_client(struct listener *l, int fd)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client < 0)
		return;
	if (l->clients == CLIENTS_MAX ||
	    send(client, l->answer, strlen(l->answer), MSG_NOSIGNAL) < 0) {
		close(client);
		return;
	}
	l->p[l->sockets + l->clients++] = (struct pollfd){.fd = client, .events = POLLIN};
}

/* Answers only a datagram that holds the nonce, and never with more bytes than came. */
static void answer_datagram(const struct listener *l, int fd)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char buf[ANSWER_MAX];
	ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

	if (n == (ssize_t)strlen(l->answer) && memcmp(buf, l->answer, (size_t)n) == 0)
		sendto(fd, buf, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&from,
		       len);
}

static void drop_clients(struct listener *l)
{
	nfds_t kept = 0;

	for (nfds_t i = 0; i < l->clients; i++) {
		struct pollfd *p = &l->p[l->sockets + i];

		if (p->revents)
			close(p->fd);
		else
			l->p[l->sockets + kept++] = *p;
	}
	l->clients = kept;
}

static void answer_until_end(struct listener *l)
{
	for (;;) {
		long long left = l->end - now_ms();

		if (left <= 0)
			return;
		if (poll(l->p, l->sockets + l->clients, (int)left) <= 0)
			continue;
		drop_clients(l);
		for (nfds_t i = 0; i < l->sockets; i++)
			if (l->p[i].revents && l->udp[i])
				answer_datagram(l, l->p[i].fd);
			else if (l->p[i].revents)
				accept_client(l, l->p[i].fd);
	}
}

/* Closes the connection to the controller and the lock, which this process must not hold. */
static void close_others(const struct listener *l)
{
	for (int fd = 0; fd < 1024; fd++) {
		bool mine = false;

		for (nfds_t i = 0; i < l->sockets; i++)
			mine |= l->p[i].fd == fd;
		if (!mine)
			close(fd);
	}
}

static pid_t start(struct listener *l, struct err *err)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0) {
		err_set(err, "fork: %s", strerror(errno));
		return -1;
	}
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it ended before the line above */
		_exit(0);
	close_others(l);
	answer_until_end(l);
	_exit(0);
}

/* ---- sockets ---- */

static int open_port(const struct addr *host, int port, bool udp)
{
	struct addr a = *host;
	struct sockaddr_storage ss;
	socklen_t len;
	int type = (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, one = 1;
	auto_close int fd = socket(a.family, type, 0);

	a.port = (uint16_t)port;
	len = addr_sockaddr(&a, &ss);
	if (fd < 0)
		return -1;
	if (!udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 || (!udp && listen(fd, 128) < 0))
		return -1;
	return steal_fd(&fd);
}

/* Opens what is free; returns the list of ports that are open now. */
static json_t *open_ports(struct listener *l, const struct addr *host, const json_t *ports,
                          bool udp)
{
	json_t *opened = json_array(), *v;
	size_t i;

	json_array_foreach (ports, i, v) {
		long long port = json_integer_value(v);
		int fd;

		if (l->sockets == SOCKETS_MAX || port < 1 || port > 65535)
			continue;
		fd = open_port(host, (int)port, udp);
		if (fd < 0)
			continue;
		l->udp[l->sockets] = udp;
		l->p[l->sockets++] = (struct pollfd){.fd = fd, .events = POLLIN};
		json_array_append(opened, v);
	}
	return opened;
}

static void stop(struct node *n)
{
	if (n->listener <= 0)
		return;
	kill(n->listener, SIGKILL);
	while (waitpid(n->listener, NULL, 0) < 0 && errno == EINTR)
		;
	n->listener = 0;
}

int op_listen(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	long long seconds = json_integer_value(json_object_get(args, "seconds"));
	const char *address, *nonce;
	auto_free struct listener *l = NULL;
	struct addr host;

	stop(n);
	if (json_is_true(json_object_get(args, "stop")))
		return 0;
	address = arg_string(args, "address", err);
	nonce = arg_string(args, "nonce", err);
	if (!address || !nonce || addr_parse(address, 0, "listen", &host, err) < 0)
		return -1;
	if (strlen(nonce) != PORTS_NONCE_LEN || seconds < 1 || seconds > SECONDS_MAX)
		return err_set(err, "protocol: bad nonce or time");
	l = xcalloc(1, sizeof(*l));
	snprintf(l->answer, sizeof(l->answer), PORTS_WORD "%s", nonce);
	l->end = now_ms() + seconds * 1000;
	json_object_set_new(result, "tcp",
	                    open_ports(l, &host, json_object_get(args, "tcp"), false));
	json_object_set_new(result, "udp",
	                    open_ports(l, &host, json_object_get(args, "udp"), true));
	if (l->sockets)
		n->listener = start(l, err);
	for (nfds_t i = 0; i < l->sockets; i++)
		close(l->p[i].fd);
	return n->listener < 0 ? -1 : 0;
}
