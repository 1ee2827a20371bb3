// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ssh.h"
#include "strbuf.h"

#include <stdbool.h>

struct cli_command;
struct cli_option;
struct err;
struct hostlist;
struct remembered;
struct sshconf;

/* The options of all commands; each command's table (options.c) says which of it it takes.
 */
struct options {
	struct strlist masters, nodes;
	const char *from; /* an existing master */
	const char *bundle, *config, *vip, *pod_cidr, *service_cidr, *cni;
	const char *keys, *require; /* who signs bundles, and how many of them */
	const char *hosts;          /* a file of machines, instead of masters and nodes */
	const char *user, *password_file, *known_hosts, *host_key, *jump, *ssh_config;
	struct sshconf *sshconf;    /* what --ssh-config says, read once */
	struct remembered *secrets; /* what was asked or read from stdin, once in a run */
	struct strlist identities, ignore;
	struct strlist groups;   /* of the person who gets a kubeconfig */
	const char *server;      /* that it names: HOST:PORT */
	struct strlist operands; /* words that are no options: of plan-check, remove and backup */
	bool ask_pass, dry_run, json, yes, control_plane;
	bool insecure;    /* bundles that none of them has signed */
	bool hold;        /* an upgrade, before it is committed */
	bool verify;      /* a backup that is there */
	bool dead;        /* the machines of removed nodes are gone */
	bool skip;        /* workers that cannot be reached */
	bool accept_loss; /* of data of etcd's: --yes does not say that */
	unsigned concurrency, wait_ms, drain_ms, watch_ms, soak_ms, keep, hours;
};

enum command {
	CMD_INSTALL,
	CMD_JOIN,
	CMD_UPGRADE,
	CMD_ROLLBACK,
	CMD_CERTS,
	CMD_CERTS_RENEW,
	CMD_CERTS_KUBECONFIG,
	CMD_REMOVE,
	CMD_BACKUP,
	CMD_PRUNE,
	CMD_RESET,
	CMD_STATUS,
	CMD_VERIFY,
	CMD_DIFF,
	CMD_PREFLIGHT,
	CMD_NODE_PREPARE,
	CMD_NODE_STAGE,
	CMD_NODE_ACTIVATE,
	CMD_PLAN_CHECK,
	CMD_COUNT
};

/* Defaults, then the command's table applied to argv. The return value is that of cli_parse. */
int options_parse(struct options *o, enum command cmd, int argc, char **argv, struct err *err);
void options_release(struct options *o);
/* All commands as one man page on stdout. */
void options_man(void);
/* "install", "join", "node prepare": as results name the command. */
const char *options_command(enum command cmd);

/* options_ssh.c: */
extern const char options_default_user[];
/* Reads ssh_config(5) and makes room for secrets. */
int options_load_ssh(struct options *o, struct err *err);
void options_release_ssh(struct options *o);
/* The machines named by --master and --node, or by --hosts. */
int options_hosts(const struct options *o, struct hostlist *hosts, struct err *err);
/* One more machine, by the same rules: for --from, and for what a cluster's record names. */
int options_host(const struct options *o, struct hostlist *hosts, const char *spec, bool master,
                 struct err *err);
/* How to log in: reads or asks for the password when the options say so. A second
 * call gets the same password without a question. *ssh is the caller's (ssh_config_release), and
 * borrows from o. */
int options_ssh(const struct options *o, struct ssh_config *ssh, struct err *err);
/* --bundle, or the one beside this program. The caller's. NULL on failure. */
char *options_bundle(const struct options *o, struct err *err);
/* Asks on the terminal; --yes answers. -1 without a terminal, or when the answer is no. */
int options_confirm(const struct options *o, const char *question, struct err *err);
