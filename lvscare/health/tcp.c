// SPDX-License-Identifier: Apache-2.0
#include "tcp.h"

#include "net.h"

#include <netinet/tcp.h>

int tcp_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	struct sockaddr_storage any;
	socklen_t len = addr_sockaddr(&(struct addr){.family = family}, &any);

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	/* When all ports are taken, sharing one is better than not asking. */
	(void)bind(fd, (struct sockaddr *)&any, len);
	return fd;
}
