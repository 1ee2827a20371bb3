/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct addr;
struct tls_trust;

/* How far one TLS connection came. */
struct dial {
	bool connected;
	bool secured;      /* the handshake is done, the certificate (if asked for) is good */
	unsigned problems; /* enum tls_problem: of the certificate */
	char text[256];    /* what failed */
	unsigned ms;       /* how long it took */
};

/* Connects to an address and shakes hands with whoever has it, waiting up to timeout_ms. The
 * certificate has to be for the address name, which is that of the virtual server; the same address
 * twice is a connection through it. */
void dial(const struct addr *to, const struct addr *name, struct tls_trust *trust,
          unsigned timeout_ms, struct dial *out);
