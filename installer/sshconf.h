// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * ssh_config(5), as far as it decides where a connection goes, what it trusts and who logs in. The
 * first value of a word counts, in the order of the file. Words that would change the connection
 * and are not followed here are refused with file and line, when they apply to a host that is
 * connected to; words that change nothing for this program are passed over (docs/install.md lists
 * both).
 */
struct sshconf;

/*
 * The files as they are now. file: NULL for the user's own (~/.ssh/config; refused when others can
 * write it) and /etc/ssh/ssh_config, "none" for nothing, else that file alone. NULL on failure.
 */
struct sshconf *sshconf_load(const char *file, struct err *err);
/* From text, for tests: name stands in messages, its Includes are read below dir. */
struct sshconf *sshconf_parse(const char *text, const char *name, const char *dir, struct err *err);
/* One line as it was written. ENTER and LEAVE stand around the lines of an Include; at BEGIN a file
 * of its own begins, where a Host block of the file before ends. */
enum sshconf_kind { SSHCONF_WORD, SSHCONF_ENTER, SSHCONF_LEAVE, SSHCONF_BEGIN };
struct sshconf_line {
	enum sshconf_kind kind;
	const char *file; /* owned by the sshconf */
	int line;
	char *word; /* lower case */
	struct strlist args;
};
size_t sshconf_lines(const struct sshconf *c, const struct sshconf_line **out);
void sshconf_free(struct sshconf *c);

/* What is asked: the host as the user named it, and what options decide before any file. */
struct sshconf_query {
	const char *name;         /* %n */
	const char *user;         /* NULL: by the files, else default_user */
	uint16_t port;            /* 0: by the files, else 22 */
	const char *default_user; /* not NULL */
	bool jump_given;          /* --jump: ProxyJump and ProxyCommand do not count */
};

/* How one host is logged in to. Files have ~ and %-tokens replaced. Zeroed is valid. */
struct ssh_login {
	char *name, *hostname, *user;
	uint16_t port;
	char *host_key_alias;        /* NULL: none */
	struct strlist identities;   /* private keys, in order */
	struct strlist certificates; /* CertificateFile */
	struct strlist known_hosts;  /* the user's files, then those of the machine */
	size_t user_known_hosts;     /* how many are the user's; the first takes new keys */
	bool identities_only;
	bool default_identities; /* nobody named a key: those of ~/.ssh */
	bool default_known_hosts;
	char *agent;     /* socket; NULL: no agent */
	char *jump;      /* "[USER@]HOST[:PORT],..."; NULL: none */
	bool accept_new; /* StrictHostKeyChecking accept-new */
	bool hash_known_hosts;
	bool no_publickey, no_password, no_kbdint; /* switched off by name */
};

/* c may be NULL: defaults only. */
int sshconf_lookup(const struct sshconf *c, const struct sshconf_query *q, struct ssh_login *out,
                   struct err *err);
/* Where a host is, before it is known whether it will be connected to; refuses nothing. *hostname:
 * the caller's. *port, *jumps: unchanged when the files say nothing. */
void sshconf_address(const struct sshconf *c, const char *name, char **hostname, uint16_t *port,
                     bool *jumps);
void ssh_login_release(struct ssh_login *l);
/* $HOME, without getpwnam: a static program has no name service. NULL: not set. */
const char *ssh_home(void);
/* The name of the user who runs this, by /etc/passwd, else $USER, else "root". The caller's. */
char *ssh_local_user(void);
