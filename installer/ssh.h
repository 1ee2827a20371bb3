// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strbuf.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct host;
struct link;

/* How to log in; the same for all machines of a run. */
struct ssh_config {
	const char *user;
	struct strlist identities; /* private key files, tried in this order */
	char *password;            /* for login and sudo; NULL: none. Never logged. */
	char *known_hosts;         /* file */
	bool accept_new;           /* remember unknown host keys; changed ones are refused anyway */
};

struct ssh;

/* Connected, host key checked before anything secret is sent, logged in. NULL on failure. */
struct ssh *ssh_open(const struct host *host, const struct ssh_config *cfg, struct err *err);
void ssh_free(struct ssh *s);

/*
 * Runs one command with the given standard input; its output is appended to out and errout. Returns
 * its exit status or -1. The command is a fixed text of this program: nothing of the user's is in
 * it.
 */
int ssh_run(struct ssh *s, const char *command, const void *in, size_t in_len, struct strbuf *out,
            struct strbuf *errout, struct err *err);

/* Starts a command whose stdin and stdout become the link, which takes over s. A read of the link
 * answers the server's keepalives and sends ours, with deadline LINK_NOW too. */
int ssh_start(struct ssh *s, const char *command, struct link *l, struct err *err);

/* For a link of ssh_start: the command's standard input ends, its output can still be read. */
void ssh_end_input(struct link *l);
/* What it printed on stderr so far is not quoted any more. */
void ssh_forget_stderr(struct link *l);

/* The login name that was used on this machine: decides about sudo. */
const char *ssh_user(const struct ssh *s);
