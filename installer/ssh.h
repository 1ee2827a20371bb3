// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strbuf.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct host;
struct hostlist;
struct link;
struct sshconf;

/* A key file that needs a passphrase, and the one that opens it. */
struct ssh_unlocked {
	char *file, *passphrase;
};

/* How to log in; the same for all machines of a run. ssh_config(5) adds what is not said here. */
struct ssh_config {
	const char *user; /* when nothing else names one */
	bool user_given;  /* --user: goes before ssh_config(5) */
	struct strlist
	    identities;    /* --identity: private key files, tried first and in this order */
	char *password;    /* for login and sudo; NULL: none. Never logged, never for jump hosts. */
	char *known_hosts; /* --known-hosts; NULL: by ssh_config(5) */
	char *jump;        /* --jump "[USER@]HOST[:PORT],..."; NULL: by ssh_config(5) */
	bool accept_new;   /* remember unknown host keys; changed ones are refused anyway */
	bool host_key_given;        /* --host-key: goes before ssh_config(5) */
	const struct sshconf *conf; /* borrowed; NULL: none */
	struct ssh_unlocked *unlocked;
	size_t unlocked_n;
};

struct ssh;

/*
 * Asks on the terminal, once for each, for the passphrases of the keys that a login on one of the
 * hosts or on a jump host may need: those that --identity or IdentityFile name, else the standard
 * ones; not those that an agent holds. Without a terminal nothing is asked; an empty answer leaves
 * the key out. -1: the configuration refuses one of the hosts, or three wrong answers.
 */
int ssh_unlock(struct ssh_config *cfg, const struct hostlist *hosts, struct err *err);
void ssh_config_release(struct ssh_config *ssh);

/*
 * Connected (through jump hosts too), host key checked before anything secret is sent, logged in.
 * NULL on failure. Each step may take SSH_STEP_MS, as a server may ask slow services.
 */
#define SSH_STEP_MS 55000
struct ssh *ssh_open(const struct host *host, const struct ssh_config *cfg, struct err *err);
void ssh_free(struct ssh *s);

/* Starts a command whose stdin and stdout become the link, which takes over s. The command is a
 * fixed text of this program: nothing of the user's is in it. A read of the link answers the
 * server's keepalives and sends ours, with deadline LINK_NOW too. */
int ssh_start(struct ssh *s, const char *command, struct link *l, struct err *err);

/* For a link of ssh_start: the command's standard input ends, its output can still be read. */
void ssh_end_input(struct link *l);
/* What it printed on stderr so far is not quoted any more. */
void ssh_forget_stderr(struct link *l);

/* The login name that was used on this machine: decides about sudo. */
const char *ssh_user(const struct ssh *s);
