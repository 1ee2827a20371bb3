// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ssh.h"
#include "strbuf.h"

#include <stdbool.h>

struct cli_command;
struct cli_option;
struct err;
struct hostlist;

/* Everything the commands can be told; each command's table (options.c) says which of it it takes.
 */
struct options {
	struct strlist masters, nodes;
	const char *from; /* an existing master */
	const char *bundle, *config, *vip, *pod_cidr, *service_cidr, *cni;
	const char *user, *password_file, *known_hosts, *host_key;
	struct strlist identities, ignore;
	struct strlist operands; /* words that are no options: plan-check only */
	bool ask_pass, dry_run, json, yes, control_plane;
	bool accept_loss; /* of data of etcd's: --yes does not say that */
	unsigned concurrency, wait_ms;
};

enum command {
	CMD_INSTALL,
	CMD_JOIN,
	CMD_RESET,
	CMD_STATUS,
	CMD_VERIFY,
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

/* The machines named by --master and --node. */
int options_hosts(const struct options *o, struct hostlist *hosts, struct err *err);
/* How to log in: reads or asks for the password when the options say so. The password is the
 * caller's (ssh_config_release). */
int options_ssh(const struct options *o, struct ssh_config *ssh, struct err *err);
void ssh_config_release(struct ssh_config *ssh);
/* --bundle, or the one beside this program. The caller's. NULL on failure. */
char *options_bundle(const struct options *o, struct err *err);
/* Asks on the terminal; --yes answers. -1 when there is nobody to ask, or the answer is no. */
int options_confirm(const struct options *o, const char *question, struct err *err);
