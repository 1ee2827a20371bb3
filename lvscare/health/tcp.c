// SPDX-License-Identifier: Apache-2.0
#include "tcp.h"

#include "net.h"

#include <netinet/tcp.h>

int tcp_client_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	return fd;
}

int tcp_socket(int family)
{
	int fd = tcp_client_socket(family);
	struct sockaddr_storage any;
	socklen_t len = addr_sockaddr(&(struct addr){.family = family}, &any);

	/* When all ports are taken, sharing one is better than not asking. */
	if (fd >= 0)
		(void)bind(fd, (struct sockaddr *)&any, len);
	return fd;
}
