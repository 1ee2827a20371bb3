// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/x509.h>

struct err;

/* The certificate that a TLS server shows at a numeric address, unverified; within seconds. The
 * caller's (X509_free). NULL with err: nobody listens, or no TLS. */
X509 *served_certificate(const char *host, const char *port, struct err *err);
