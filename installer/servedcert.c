// SPDX-License-Identifier: Apache-2.0
#include "servedcert.h"

#include "err.h"
#include "net.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define WAIT_S 3 /* each for connecting and for each message */

static int connect_to(const struct addr *a, struct err *err)
{
	const struct timeval limit = {.tv_sec = WAIT_S};
	struct sockaddr_storage ss;
	socklen_t len = addr_sockaddr(a, &ss);
	int fd = socket(a->family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_set(err, "socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)&ss, len) < 0) {
		/* with a limit of its own, connect(2) says so in this way */
		err_set(err, "%s", errno == EINPROGRESS ? "no answer" : strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

X509 *served_certificate(const char *host, const char *port, struct err *err)
{
	SSL_CTX *ctx = NULL;
	SSL *ssl = NULL;
	X509 *x = NULL;
	struct addr a;
	int fd;

	if (addr_parse(host, (uint16_t)atoi(port), "address", &a, err) < 0)
		return NULL;
	fd = connect_to(&a, err);
	if (fd < 0)
		return NULL;
	ctx = SSL_CTX_new(TLS_client_method());
	ssl = ctx ? SSL_new(ctx) : NULL;
	if (ssl && SSL_set_fd(ssl, fd) == 1) {
		SSL_connect(ssl); /* servers that want a client's certificate end it after theirs */
		x = SSL_get1_peer_certificate(ssl);
	}
	if (!x)
		err_set(err, "no certificate is shown there");
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	return x;
}
