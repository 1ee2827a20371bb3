// SPDX-License-Identifier: Apache-2.0
#pragma once

struct err;
struct strbuf;

/*
 * Fetches a host's certificate: the begin of a key exchange (RFC 4253, 7; RFC 5656, 4) on a
 * connection of its own, up to the server's reply, which holds it. Nothing in it is secret and
 * nothing is proved by it: see hostcert.h. fd is not blocking. 1: appended to out; 0: the server
 * has none of a kind that is known; -1.
 */
int sshprobe_certificate(int fd, long long deadline, struct strbuf *out, struct err *err);
