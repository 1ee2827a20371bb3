// SPDX-License-Identifier: Apache-2.0
#pragma once

/*
 * For the files ssh*.c and jump.c alone, the only ones that know libssh2. Sessions are non-blocking
 * and every wait has a deadline, so that a machine that falls silent costs a minute and not for
 * ever.
 */
#include "knownhosts.h"
#include "link.h"
#include "ssh.h"
#include "sshconf.h"
#include "strbuf.h"

#include <libssh2.h>
#include <sys/types.h>

struct addr;
struct err;

#define STALL_MS    60000 /* a write that makes no headway */
#define KEEPALIVE_S 10
#define HOPS_MAX    8

struct ssh {
	int fd;
	pid_t relay; /* the process behind fd that goes through jump hosts; 0: none */
	LIBSSH2_SESSION *session;
	LIBSSH2_CHANNEL *channel;
	struct ssh_login login;
	const struct ssh_config *cfg;   /* borrowed */
	struct strbuf errout;           /* of the running command */
	struct strbuf unsent;           /* encrypted, for the socket */
	struct strbuf early;            /* of its output: came while it was written to */
	struct strbuf reason;           /* the server's disconnect message */
	struct strbuf said;             /* what the server wrote while it asked for the login */
	int rounds;                     /* rounds of keyboard-interactive so far */
	bool unanswered;                /* something but the password was asked for */
	bool ended;                     /* by the server, or by the network */
	struct strbuf hello, own_hello; /* first bytes from and to the server; empty later */
	bool hello_done;
};

/* Why the last libssh2 call failed, or the server's disconnect message when there was one.
 * Borrowed, printable. */
const char *ssh_why(struct ssh *s);
/* Waits until something has come, or unsent has become shorter. -1 at the deadline. */
int ssh_wait(struct ssh *s, long long deadline, struct err *err);
/*
 * libssh2 cannot go on with anything else while a packet of its own is half sent. So all that it
 * sends is taken at once and kept in unsent; whoever adds to a channel looks at its length before.
 */
#define UNSENT_MAX (256u << 10)
void ssh_flush(struct ssh *s); /* what the socket takes without waiting */
/* Waits until at most max bytes are unsent. */
int ssh_drain(struct ssh *s, size_t max, long long deadline, struct err *err);

/* Repeats a libssh2 call until it is done: rc is what it returned last. */
#define RETRY(s, rc, call, ms, err)                               \
	do {                                                      \
		long long retry_end_ = now_ms() + (ms);           \
		while ((rc = (call)) == LIBSSH2_ERROR_EAGAIN)     \
			if (ssh_wait((s), retry_end_, (err)) < 0) \
				return -1;                        \
	} while (0)

/* sshkeys.c: the keys to offer, in order. */
struct offer {
	char *label;                               /* "key FILE", "certificate FILE" */
	char *file, *public;                       /* private key, and what is shown: or NULL */
	const char *passphrase;                    /* borrowed; NULL: none needed */
	struct libssh2_agent_publickey *agent_key; /* instead of a file */
};
struct offers {
	struct offer *v;
	size_t n, named; /* the first so many were named by the user */
	struct strbuf
	    unused; /* keys that cannot be offered, and why: "key X has a passphrase, ..." */
	LIBSSH2_AGENT *agent; /* NULL: none */
};
void offers_init(struct offers *o, struct ssh *s);
void offers_release(struct offers *o);

/* sshauth.c: logs in, or says what was tried, what not, and what the server takes. */
int ssh_login(struct ssh *s, struct err *err);

/* sshconn.c: connected and logged in as login says. addr: where, NULL to resolve the name. depth:
 * how many hops are in use. */
struct ssh *ssh_connect(const struct ssh_login *login, const struct addr *addr,
                        const struct ssh_config *cfg, int depth, struct err *err);
/* What options and configuration say for a host; default_user: see sshconf.h. */
int ssh_lookup(const struct ssh_config *cfg, const struct sshconf_query *q, struct ssh_login *out,
               struct err *err);
int ssh_login_of(const struct host *host, const struct ssh_config *cfg, struct ssh_login *out,
                 struct err *err);
/* sshconn.c: a session on which nothing is connected, to try keys on (no byte is sent). */
LIBSSH2_SESSION *ssh_session(struct ssh *s, struct err *err);

/*
 * jump.c: a descriptor that reaches host:port through a chain of hops "[USER@]HOST[:PORT],...". A
 * process of its own logs in on the last hop and passes the bytes on; *relay is its id.
 */
int jump_open(const char *chain, const char *host, uint16_t port, const struct ssh_config *cfg,
              int depth, pid_t *relay, struct err *err);
/* What is known of one hop, the last of chain. *before: the chain that leads to it, or NULL; the
 * caller's. */
int jump_login(const char *chain, const struct ssh_config *cfg, struct ssh_login *out,
               char **before, struct err *err);
