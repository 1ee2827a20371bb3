// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include "bundle.h"
#include "cli.h"
#include "err.h"
#include "fs.h"
#include "host.h"
#include "mem.h"
#include "prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_MAX 32

/* ---- the tables ---- */

#define MASTERS(o, text)                                                         \
	{                                                                        \
		.name = "master", .kind = CLI_LIST, .arg = "HOST", .help = text, \
		.dest = &(o)->masters, .list_commas = true                       \
	}
#define NODES(o, text)                                                         \
	{                                                                      \
		.name = "node", .kind = CLI_LIST, .arg = "HOST", .help = text, \
		.dest = &(o)->nodes, .list_commas = true                       \
	}
#define WAIT(o, text)                                                                \
	{                                                                            \
		.name = "wait", .kind = CLI_DURATION, .arg = "TIME", .help = (text), \
		.dest = &(o)->wait_ms, .min = 1000, .max = 7200000                   \
	}
#define DRAIN(o)                                                                                \
	{                                                                                       \
		.name = "drain", .kind = CLI_DURATION, .arg = "TIME",                           \
		.help = "How long pods may take to leave a node (5m).", .dest = &(o)->drain_ms, \
		.min = 1000, .max = 7200000                                                     \
	}
#define FLAG(n, field, text)                                                 \
	{                                                                    \
		.name = n, .kind = CLI_FLAG, .help = text, .dest = &o->field \
	}
#define TEXT(n, what, field, text)                                                          \
	{                                                                                   \
		.name = n, .kind = CLI_STRING, .arg = what, .help = text, .dest = &o->field \
	}
/* Of commands that work on all machines of a cluster that is there. */
#define KNOWN_CLUSTER(o)                                                                      \
	MASTERS(o, "Control plane machine that ./install does not know: it joined by hand."), \
	    NODES(o, "Worker machine that joined by hand."),                                  \
	    TEXT("from", "HOST", from, "A master of the cluster, when this machine is none.")

/* Of commands that take a bundle. */
#define TRUST(o)                                                                             \
	TEXT("keys", "DIR", keys,                                                            \
	     "Public keys of those whose bundles are taken (keys beside this program, else " \
	     "/etc/kubecask/keys). With a key there, others are refused."),                  \
	    FLAG("insecure-unsigned", insecure, "Take a bundle that none of them has signed.")

static size_t add_rows(struct cli_option *to, size_t n, const struct cli_option *rows, size_t count)
{
	memcpy(to + n, rows, count * sizeof(*rows));
	return n + count;
}
#define ADD(rows) n = add_rows(to, n, rows, ARRAY_SIZE(rows))

/* machines: the command takes a list of them */
static size_t add_ssh(struct options *o, struct cli_option *to, size_t n, bool machines)
{
	const struct cli_option hosts[] = {
	    TEXT(
		"hosts", "FILE", hosts,
		"The machines from a file instead: role, address, port=, user=, name=, labels= and "
		"taints= of one in each line."),
	};
	const struct cli_option rows[] = {
	    TEXT("user", "NAME", user,
	         "Login name on the machines (by ~/.ssh/config, else root). Another user needs "
	         "sudo."),
	    {.letter = 'i',
	     .name = "identity",
	     .kind = CLI_LIST,
	     .arg = "FILE",
	     .help = "Private key, repeatable (by ~/.ssh/config; the ssh agent; ~/.ssh/id_ed25519, "
	             "id_ecdsa, id_rsa). A passphrase is asked for.",
	     .dest = &o->identities},
	    FLAG("ask-pass", ask_pass, "Ask for the password for login and sudo."),
	    TEXT("password-file", "FILE", password_file,
	         "Read that password from the first line of FILE (mode 0600), or of stdin with -."),
	    TEXT("known-hosts", "FILE", known_hosts, "Host keys (~/.ssh/known_hosts)."),
	    TEXT("host-key", "strict|accept-new", host_key,
	         "Unknown host keys are refused (strict) or remembered. Changed keys are always "
	         "refused."),
	    TEXT("jump", "HOSTS", jump,
	         "Reach the machines through [USER@]HOST[:PORT], or several of them with commas."),
	    TEXT("ssh-config", "FILE|none", ssh_config,
	         "What to follow of ssh_config(5) (~/.ssh/config and /etc/ssh/ssh_config)."),
	    {.name = "concurrency",
	     .kind = CLI_UINT,
	     .arg = "N",
	     .help = "Machines worked on at the same time (16).",
	     .dest = &o->concurrency,
	     .min = 1,
	     .max = 256},
	};

	if (machines)
		ADD(hosts);
	ADD(rows);
	return n;
}

static size_t add_cluster(struct options *o, struct cli_option *to, size_t n, bool all)
{
	const struct cli_option rows[] = {
	    TEXT("bundle", "FILE", bundle,
	         "The bundle (the only kubecask-*-linux-*.tar beside this program)."),
	    TRUST(o),
	    {.name = "ignore-preflight-errors",
	     .kind = CLI_LIST,
	     .arg = "NAMES",
	     .help =
	         "Checks that only warn, for this program and for kubeadm; \"all\" for every one.",
	     .dest = &o->ignore,
	     .list_commas = true},
	    TEXT("config", "FILE", config,
	         "Your kubeadm configuration (YAML documents), one file for all machines. What it "
	         "says is kept, or refused by field; what it lacks is added."),
	};
	const struct cli_option more[] = {
	    TEXT("vip", "ADDRESS[:PORT]", vip,
	         "Virtual IP of the API servers (169.254.97.2:6443)."),
	    TEXT("pod-cidr", "CIDR", pod_cidr, "Addresses of pods (10.244.0.0/16)."),
	    TEXT("service-cidr", "CIDR", service_cidr, "Addresses of services (10.96.0.0/12)."),
	    TEXT("cni", "flannel|none", cni,
	         "Pod network (flannel, which enforces no NetworkPolicy)."),
	};

	ADD(rows);
	if (all)
		ADD(more);
	return n;
}

static size_t add_run(struct options *o, struct cli_option *to, size_t n)
{
	const struct cli_option rows[] = {
	    WAIT(o, "How long to wait for nodes and CoreDNS to be ready (10m)."),
	    FLAG("accept-data-loss", accept_loss,
	         "Clear what an interrupted run left also when etcd has data in it."),
	    FLAG("dry-run", dry_run, "Check everything, say what would be done, change nothing."),
	    FLAG("yes", yes,
	         "Do not ask; also switch machines to another build of the same version."),
	    FLAG("json", json, "Print findings, plan, events and result as JSON lines."),
	};

	ADD(rows);
	return n;
}

/* Of an upgrade over a minor version. */
static size_t add_commit(struct options *o, struct cli_option *to, size_t n)
{
	const struct cli_option rows[] = {
	    {.name = "soak",
	     .kind = CLI_DURATION,
	     .arg = "TIME",
	     .help = "Over a minor version: how long the new control planes must be well, working "
	             "as the old version, before the new one is committed (2m).",
	     .dest = &o->soak_ms,
	     .min = 1000,
	     .max = 86400000},
	    FLAG("hold", hold,
	         "Over a minor version: stop before commit. upgrade again goes on, rollback leads "
	         "back."),
	};

	ADD(rows);
	return n;
}

/* Of the commands that change a cluster; 0: it is none of them. */
static size_t cluster_rows(struct options *o, enum command cmd, struct cli_option *to)
{
	const struct cli_option install[] = {
	    MASTERS(
		o,
		"Control plane machine, repeatable: ADDRESS or NAME, with :SSHPORT, or FIRST-LAST. "
		"Without any, this machine becomes the only one."),
	    NODES(o, "Worker machine, in the same forms."),
	};
	const struct cli_option join[] = {
	    MASTERS(o, "New control plane machine."),
	    NODES(o, "New worker machine."),
	    TEXT("from", "HOST", from, "An existing master, when this machine is none."),
	};
	const struct cli_option upgrade[] = {
	    KNOWN_CLUSTER(o),
	    TEXT("bundle", "FILE", bundle,
	         cmd == CMD_UPGRADE
	             ? "The bundle of the new version (the only kubecask-*-linux-*.tar beside this "
	               "program)."
	             : "The bundle of the version before (the only kubecask-*-linux-*.tar beside "
	               "this program)."),
	    TRUST(o),
	    {.name = "ignore-preflight-errors",
	     .kind = CLI_LIST,
	     .arg = "NAMES",
	     .help = "Checks that only warn: Budget, Webhook, RemovedAPI, and those of preflight.",
	     .dest = &o->ignore,
	     .list_commas = true},
	    FLAG(
		"skip-unreachable", skip,
		"Leave workers out that cannot be reached; the same command brings them up later."),
	    DRAIN(o),
	};
	const struct cli_option reset[] = {
	    MASTERS(o, "Control plane machine to reset. Without any machine: this one."),
	    NODES(o, "Worker machine to reset."),
	    FLAG("yes", yes, "Do not ask, as long as no data would be lost."),
	    FLAG("accept-data-loss", accept_loss,
	         "Go on also when etcd does not answer or would lose its quorum."),
	    FLAG("dry-run", dry_run, "Say what would be done, change nothing."),
	    FLAG("json", json, "Print findings, plan, events and result as JSON lines."),
	};
	size_t n = 0;

	switch (cmd) {
	case CMD_INSTALL:
		ADD(install);
		n = add_cluster(o, to, n, true);
		n = add_run(o, to, n);
		return add_ssh(o, to, n, true);
	case CMD_JOIN:
		ADD(join);
		n = add_cluster(o, to, n, false);
		n = add_run(o, to, n);
		return add_ssh(o, to, n, true);
	case CMD_UPGRADE:
	case CMD_ROLLBACK:
		ADD(upgrade);
		if (cmd == CMD_UPGRADE)
			n = add_commit(o, to, n);
		n = add_run(o, to, n);
		return add_ssh(o, to, n, true);
	case CMD_RESET:
		ADD(reset);
		return add_ssh(o, to, n, true);
	default:
		return 0;
	}
}

/* Of those that work on single nodes of a cluster that is there; 0: it is none of them. */
static size_t node_rows(struct options *o, enum command cmd, struct cli_option *to)
{
	const struct cli_option remove[] = {
	    TEXT("from", "HOST", from, "A master that stays, when this machine is none."),
	    FLAG("dead", dead,
	         "The machines are gone for good: remove their nodes and etcd members only."),
	    DRAIN(o),
	    FLAG("yes", yes, "Do not ask."),
	    FLAG("dry-run", dry_run, "Check everything, say what would be done, change nothing."),
	    FLAG("json", json, "Print plan, events and result as JSON lines."),
	};
	const struct cli_option renew[] = {
	    KNOWN_CLUSTER(o),
	    WAIT(o, "How long a machine may take to be well again (10m)."),
	    FLAG("yes", yes, "Do not ask."),
	    FLAG("dry-run", dry_run, "Check everything, say what would be done, change nothing."),
	    FLAG("json", json, "Print plan, events and result as JSON lines."),
	};
	const struct cli_option kubeconfig[] = {
	    TEXT("from", "HOST", from, "A master of the cluster, when this machine is none."),
	    {.name = "group",
	     .kind = CLI_LIST,
	     .arg = "NAME",
	     .help = "A group that the person belongs to, repeatable: what RoleBindings name.",
	     .dest = &o->groups},
	    {.name = "hours",
	     .kind = CLI_UINT,
	     .arg = "N",
	     .help = "How long it is good for (24). It cannot be taken back before.",
	     .dest = &o->hours,
	     .min = 1,
	     .max = 867240},
	    TEXT("server", "HOST:PORT", server,
	         "The API server that it names, as the person reaches it (that master's). Its "
	         "certificate must have that name."),
	    FLAG("json", json, "Print the result as JSON."),
	};
	const struct cli_option prune[] = {
	    KNOWN_CLUSTER(o),
	    {.name = "keep",
	     .kind = CLI_UINT,
	     .arg = "N",
	     .help = "How many of the versions brought last stay, besides the one that runs (2).",
	     .dest = &o->keep,
	     .min = 1,
	     .max = 100},
	    FLAG("yes", yes, "Do not ask."),
	    FLAG("dry-run", dry_run, "Say what would be removed, change nothing."),
	    FLAG("json", json, "Print the result as JSON."),
	};
	const struct cli_option backup[] = {
	    TEXT("from", "HOST", from,
	         "The master, when this machine is none. FILE lies there in any case."),
	    FLAG("verify", verify,
	         "Do not make one: read FILE, restore etcd's data on trial, compare."),
	    FLAG("json", json, "Print the result as JSON."),
	};
	size_t n = 0;

	switch (cmd) {
	case CMD_REMOVE:
		ADD(remove);
		return add_ssh(o, to, n, false);
	case CMD_CERTS_KUBECONFIG:
		ADD(kubeconfig);
		return add_ssh(o, to, n, false);
	case CMD_CERTS_RENEW:
		ADD(renew);
		return add_ssh(o, to, n, true);
	case CMD_PRUNE:
		ADD(prune);
		return add_ssh(o, to, n, true);
	case CMD_BACKUP:
		ADD(backup);
		return add_ssh(o, to, n, false);
	default:
		return cluster_rows(o, cmd, to);
	}
}

static size_t rows_of(struct options *o, enum command cmd, struct cli_option *to)
{
	const struct cli_option status[] = {
	    TEXT("from", "HOST", from, "A master, when this machine is none."),
	    {.name = "watch",
	     .kind = CLI_DURATION,
	     .arg = "TIME",
	     .help = "Look again each TIME, until ^C; the exit code is of the last look.",
	     .dest = &o->watch_ms,
	     .min = 1000,
	     .max = 86400000},
	    FLAG("json", json, "Print findings, plan, events and result as JSON lines."),
	};
	const struct cli_option certs[] = {
	    KNOWN_CLUSTER(o),
	    FLAG("json", json, "Print the result as JSON."),
	};
	const struct cli_option diff[] = {
	    TRUST(o),
	    FLAG("json", json, "Print the result as JSON."),
	};
	const struct cli_option verify[] = {
	    TEXT("bundle", "FILE", bundle,
	         "The bundle (the only kubecask-*-linux-*.tar beside this program)."),
	    TRUST(o),
	    TEXT("require", "LEVEL", require,
	         "What the bundle must have: signed, signed=2 (by two of the keys), sbom; "
	         "several with commas."),
	    FLAG("json", json, "Print findings, plan, events and result as JSON lines."),
	};
	const struct cli_option preflight[] = {
	    MASTERS(o, "Control plane machine to check. Without any machine: this one."),
	    NODES(o, "Worker machine to check."),
	    FLAG("json", json, "Print findings and result as JSON lines."),
	};
	const struct cli_option prepare[] = {
	    FLAG("control-plane", control_plane, "Also import the images of a control plane."),
	    FLAG("yes", yes,
	         "Do not ask; also switch machines to another build of the same version."),
	    FLAG("json", json, "Print findings, plan, events and result as JSON lines."),
	};
	size_t n = 0;

	switch (cmd) {
	case CMD_CERTS:
		ADD(certs);
		return add_ssh(o, to, n, true);
	case CMD_STATUS:
		ADD(status);
		return add_ssh(o, to, n, false);
	case CMD_VERIFY:
		ADD(verify);
		return n;
	case CMD_DIFF:
		ADD(diff);
		return n;
	case CMD_PREFLIGHT:
		ADD(preflight);
		n = add_cluster(o, to, n, true);
		return add_ssh(o, to, n, true);
	case CMD_NODE_PREPARE:
	case CMD_NODE_STAGE:
	case CMD_NODE_ACTIVATE:
		ADD(prepare);
		return add_cluster(o, to, n, false);
	default:
		return node_rows(o, cmd, to);
	}
}

static const struct cli_command commands[CMD_COUNT] = {
    [CMD_INSTALL] =
	{
	    .prog = "install",
	    .synopsis = "[options] [--master HOST ...] [--node HOST ...]",
	    .summary = "make a Kubernetes cluster from the bundle beside this program",
	    .text = "Commands: install (default), join, upgrade, rollback, remove, backup, certs, "
		    "certs renew, certs kubeconfig, prune, "
		    "preflight, "
		    "reset, "
		    "status, "
		    "verify, diff, "
		    "node "
		    "prepare, node "
		    "stage, node "
		    "activate, plan-check; "
		    "COMMAND --help says more. On the nodes this program is called kubecask.\n\n"
		    "A run that was interrupted is repeated with the same command.\n\n"
		    "Exit codes: 0 done, 1 failed, 2 usage, 65 bad bundle (nothing touched), 75 "
		    "partly done "
		    "(the machines that failed are named).",
	},
    [CMD_JOIN] =
	{
	    .prog = "install join",
	    .synopsis = "[options] [--from HOST] [--master HOST ...] [--node HOST ...]",
	    .summary = "add machines to the cluster",
	    .text = "Runs on a master, or anywhere else with --from. Plain kubeadm join does as "
		    "well: see "
		    "node prepare.",
	},
    [CMD_UPGRADE] =
	{
	    .prog = "install upgrade",
	    .synopsis = "[options] --bundle FILE",
	    .summary = "bring the whole cluster to the version of another bundle",
	    .text = "Runs on a master, or anywhere else with --from. By one minor version at most. "
		    "Checks every machine and changes nothing when one is not well. Files and "
		    "images are brought to all machines, etcd's data is saved on each master, "
		    "then follow the control planes one by one, the programs of the masters, and "
		    "the workers one by one, each emptied before. A run that was interrupted is "
		    "repeated with the same command. Over a minor version the new control planes "
		    "work as the old version first, and are committed when they have been well "
		    "for --soak. Until then, and within a minor version always, rollback leads "
		    "back.",
	},
    [CMD_ROLLBACK] =
	{
	    .prog = "install rollback",
	    .synopsis = "[options] --bundle FILE",
	    .summary = "bring the whole cluster back to the version that it had before an upgrade",
	    .text = "Runs on a master, or anywhere else with --from. Within a minor version, or "
		    "before an upgrade is committed: no "
		    "object and no write is lost, etcd stays as it is. Also after an upgrade that "
		    "stopped half way, or whose API server or kubelet is not well on one machine. "
		    "The same checks and steps as upgrade, from the workers to the control "
		    "planes. A run that was interrupted is repeated with the same command.",
	},
    [CMD_CERTS] =
	{
	    .prog = "install certs",
	    .synopsis = "[options] [--from HOST]",
	    .summary = "show every certificate of the cluster's machines",
	    .text = "Runs on a master, or anywhere else with --from; changes nothing. Looks at "
		    "kubeadm's and kubelet's files, at kubeconfigs, and at what the programs show "
		    "at their ports. Exit code 1 when a certificate has ended, ends within 30 "
		    "days, does not fit its key or its CA, or is not the one that its program "
		    "uses; 75 when a machine could not be asked.",
	},
    [CMD_CERTS_RENEW] =
	{
	    .prog = "install certs renew",
	    .synopsis = "[options] [--from HOST]",
	    .summary = "sign every certificate of the cluster's machines anew",
	    .text = "Runs on a master, or anywhere else with --from. Lives are those that the "
		    "cluster's configuration has; CAs and the service account key stay. Control "
		    "planes and kubelets start anew to take them, one machine after the other; "
		    "the next one follows when the last has been well for 30 seconds. Nothing is "
		    "changed when a machine is not well. A run that was interrupted is repeated "
		    "with the same command, and begins anew.",
	},
    [CMD_CERTS_KUBECONFIG] =
	{
	    .prog = "install certs kubeconfig",
	    .synopsis = "[options] NAME",
	    .summary = "make a kubeconfig for a person, with an end",
	    .text = "Runs on a master, or anywhere else with --from; prints the kubeconfig. The "
		    "cluster's CA signs a client certificate with NAME as the user and --group as "
		    "the groups; what they may do is said by RoleBindings and ClusterRoleBindings "
		    "alone. Nothing is kept of it and nothing is changed.",
	},
    [CMD_REMOVE] =
	{
	    .prog = "install remove",
	    .synopsis = "[options] NODE ...",
	    .summary = "take nodes out of the cluster, and Kubernetes off their machines",
	    .text = "NODE is the name or address of a node. Runs on a master that stays, or "
		    "anywhere else with --from. One node after the other: pods leave it, its etcd "
		    "member leaves, its machine is reset, its Node is deleted. Nothing is changed "
		    "where etcd would lose its quorum on the way. To replace a master, join the "
		    "new one first.",
	},
    [CMD_BACKUP] =
	{
	    .prog = "install backup",
	    .synopsis = "[options] [FILE]",
	    .summary = "save what cannot be made again of the cluster",
	    .text = "Writes etcd's data, /etc/kubernetes with all keys, and our record into one "
		    "tar on the master, whole or not at all, for root alone. Exit code 65: "
		    "--verify found it damaged. docs/backup.md says how a cluster is brought back "
		    "from it.",
	},
    [CMD_PRUNE] =
	{
	    .prog = "install prune",
	    .synopsis = "[options] [--from HOST]",
	    .summary = "remove versions, blobs and images that nothing needs any more",
	    .text = "Runs on a master, or anywhere else with --from. Each upgrade leaves the "
		    "version before on the machines: its programs, its blobs and its images. The "
		    "version that runs stays, and those that were brought last; an image stays "
		    "while a version that stays or a container has it. Says what would go and "
		    "asks.",
	},
    [CMD_RESET] =
	{
	    .prog = "install reset",
	    .synopsis = "[options] [--master HOST ...] [--node HOST ...]",
	    .summary = "remove Kubernetes and everything of ours from machines",
	    .text = "All data of the cluster on these machines is lost.",
	},
    [CMD_STATUS] =
	{
	    .prog = "install status",
	    .synopsis = "[options]",
	    .summary = "show what runs on each node, and what is wrong with the cluster",
	    .text = "One master is asked, and it asks the others through the API servers: no "
		    "SSH to them is needed, and nothing is changed.\n\n"
		    "Exit codes: 0 all is well, 1 something is wrong (a line each), or it could "
		    "not be asked.",
	},
    [CMD_VERIFY] =
	{
	    .prog = "install verify",
	    .synopsis = "[--bundle FILE]",
	    .summary = "check every byte of a bundle and list what is in it",
	},
    [CMD_DIFF] =
	{
	    .prog = "install diff",
	    .synopsis = "[options] OLD NEW",
	    .summary = "show what differs between two bundles, and what an upgrade sends",
	    .text = "Verifies both. Components with their versions, images that came (+), went (-) "
		    "or have other bytes under their name (~), and how much of the second one a "
		    "machine gets that has the first.",
	},
    [CMD_PREFLIGHT] =
	{
	    .prog = "install preflight",
	    .synopsis = "[options] [--master HOST ...] [--node HOST ...]",
	    .summary = "check machines, and the ports between them, and change nothing",
	    .text =
		"Prints a table: machine, level, check, cause, and a fix that can be pasted. Exit "
		"code 1 "
		"when there is an error among it.",
	},
    [CMD_NODE_PREPARE] =
	{
	    .prog = "install node prepare",
	    .synopsis = "[options]",
	    .summary = "put files, containerd and images on this machine, for a plain kubeadm join",
	    .text =
		"Then run here the line that kubeadm token create --print-join-command prints on a "
		"master.",
	},
    [CMD_NODE_STAGE] =
	{
	    .prog = "install node stage",
	    .synopsis = "[options]",
	    .summary = "put another version beside the one that runs; nothing is switched",
	    .text = "Then /opt/kubecask/VERSION/bin/kubeadm upgrade apply VERSION (on the first "
		    "master) or upgrade node, and node activate.",
	},
    [CMD_NODE_ACTIVATE] =
	{
	    .prog = "install node activate",
	    .synopsis = "[options]",
	    .summary = "switch this machine to the version that node stage put there",
	},
    [CMD_PLAN_CHECK] =
	{
	    .prog = "install plan-check",
	    .synopsis = "PLAN EVENTS",
	    .summary = "compare a plan with what happened",
	    .text = "PLAN is what a command printed with --dry-run --json, EVENTS what the same "
		    "command printed with --json. Exit code 1 and a line for each difference: "
		    "steps that were not planned, in another order, or did not run.",
	},
};

static struct cli_command with_rows(enum command cmd, const struct cli_option *rows)
{
	struct cli_command c = commands[cmd];

	c.options = rows;
	return c;
}

static bool takes_operands(enum command cmd)
{
	return cmd == CMD_PLAN_CHECK || cmd == CMD_REMOVE || cmd == CMD_BACKUP || cmd == CMD_DIFF ||
	       cmd == CMD_CERTS_KUBECONFIG;
}

static bool logs_in(enum command cmd)
{
	return cmd == CMD_INSTALL || cmd == CMD_JOIN || cmd == CMD_UPGRADE || cmd == CMD_ROLLBACK ||
	       cmd == CMD_RESET || cmd == CMD_REMOVE || cmd == CMD_BACKUP || cmd == CMD_PRUNE ||
	       cmd == CMD_STATUS || cmd == CMD_CERTS || cmd == CMD_CERTS_RENEW ||
	       cmd == CMD_CERTS_KUBECONFIG || cmd == CMD_PREFLIGHT;
}

int options_parse(struct options *o, enum command cmd, int argc, char **argv, struct err *err)
{
	struct cli_option rows[ROWS_MAX] = {0};
	struct cli_command c = with_rows(cmd, rows);
	int rc;

	*o = (struct options){.user = options_default_user,
	                      .cni = "flannel",
	                      .concurrency = 16,
	                      .wait_ms = 600000,
	                      .drain_ms = 300000,
	                      .soak_ms = 120000,
	                      .keep = 2,
	                      .hours = 24};
	rows_of(o, cmd, rows);
	rc = cli_parse(&c, argc, argv, takes_operands(cmd) ? &o->operands : NULL, err);
	return rc == 0 && logs_in(cmd) ? options_load_ssh(o, err) : rc;
}

void options_release(struct options *o)
{
	strlist_release(&o->masters);
	strlist_release(&o->nodes);
	strlist_release(&o->identities);
	strlist_release(&o->groups);
	strlist_release(&o->ignore);
	strlist_release(&o->operands);
	options_release_ssh(o);
}

const char *options_command(enum command cmd)
{
	const char *prog = commands[cmd].prog, *second = strchr(prog, ' ');

	return second ? second + 1 : prog;
}

void options_man(void)
{
	struct cli_option rows[CMD_COUNT][ROWS_MAX] = {0};
	struct cli_command c[CMD_COUNT];
	const struct cli_command *more[CMD_COUNT] = {0};
	struct options o;

	for (int i = 0; i < CMD_COUNT; i++) {
		rows_of(&o, (enum command)i, rows[i]);
		c[i] = with_rows((enum command)i, rows[i]);
		if (i > 0)
			more[i - 1] = &c[i];
	}
	cli_man(&c[0], more, stdout);
}

/* ---- what they mean ---- */

char *options_bundle(const struct options *o, struct err *err)
{
	char self[4096], *path = NULL;
	ssize_t n;

	if (o->bundle)
		return xstrdup(o->bundle);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0) {
		err_set(err, "/proc/self/exe: %s", strerror(errno));
		return NULL;
	}
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	return bundle_find(*self ? self : "/", &path, err) == 0 ? path : NULL;
}

int options_confirm(const struct options *o, const char *question, struct err *err)
{
	static const char no_terminal[] =
	    "no terminal to ask on: add --yes to go on without a question";
	auto_free char *answer = NULL, *prompt = xasprintf("%s [y/N] ", question);

	if (o->yes)
		return 0;
	if (!isatty(STDIN_FILENO))
		return err_set_code(err, EXIT_USAGE, "%s", no_terminal);
	answer = prompt_line(prompt, no_terminal, err);
	if (!answer)
		return -1;
	if (strcmp(answer, "y") == 0 || strcmp(answer, "yes") == 0)
		return 0;
	return err_set(err, "stopped, nothing was changed");
}
