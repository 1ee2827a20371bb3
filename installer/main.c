// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "interrupt.h"
#include "log.h"
#include "mem.h"
#include "node.h"
#include "session.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *second; /* "node prepare" is two words */
	enum command cmd;
	int (*run)(const struct options *o, struct err *err);
} commands[] = {
    {"join", NULL, CMD_JOIN, cmd_join},
    {"upgrade", NULL, CMD_UPGRADE, cmd_upgrade},
    {"rollback", NULL, CMD_ROLLBACK, cmd_rollback},
    {"certs", "renew", CMD_CERTS_RENEW, cmd_certs_renew},
    {"certs", "kubeconfig", CMD_CERTS_KUBECONFIG, cmd_kubeconfig},
    {"certs", NULL, CMD_CERTS, cmd_certs},
    {"backup", NULL, CMD_BACKUP, cmd_backup},
    {"remove", NULL, CMD_REMOVE, cmd_remove},
    {"prune", NULL, CMD_PRUNE, cmd_prune},
    {"reset", NULL, CMD_RESET, cmd_reset},
    {"status", NULL, CMD_STATUS, cmd_status},
    {"verify", NULL, CMD_VERIFY, cmd_verify},
    {"diff", NULL, CMD_DIFF, cmd_diff},
    {"preflight", NULL, CMD_PREFLIGHT, cmd_preflight},
    {"node", "prepare", CMD_NODE_PREPARE, cmd_node_prepare},
    {"node", "stage", CMD_NODE_STAGE, cmd_node_stage},
    {"node", "activate", CMD_NODE_ACTIVATE, cmd_node_activate},
    {"plan-check", NULL, CMD_PLAN_CHECK, cmd_plan_check},
    {"install", NULL, CMD_INSTALL, cmd_install},
};

/* Planned, named in the design, and not there yet: said plainly instead of "unknown". */
static const char *const later[] = {"restore"};

/* A command line that cannot be understood may ask for JSON all the same. */
static bool asks_for_json(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

static void refuse_as_json(const char *command, const struct err *err)
{
	const struct options o = {.json = true};
	struct session s = {.opt = &o};

	session_begin(&s);
	session_end(&s, command, -1, err);
}

static int run_command(enum command cmd, int (*run)(const struct options *o, struct err *err),
                       int argc, char **argv)
{
	struct options o;
	struct err err = {0};
	int rc = options_parse(&o, cmd, argc, argv, &err);

	if (rc < 0 && asks_for_json(argc, argv))
		refuse_as_json(options_command(cmd), &err);
	interrupt_init();
	if (rc == 0)
		rc = run(&o, &err);
	options_release(&o);
	if (rc > 0) /* --help or --version was printed */
		return EXIT_OK;
	return rc < 0 ? log_err(&err) : EXIT_OK;
}

static int unknown_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(later); i++)
		if (strcmp(name, later[i]) == 0) {
			log_error("%s: not available in this version", name);
			return EXIT_USAGE;
		}
	log_error("%s: unknown command (see install --help)", name);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	log_init("install", LOG_LVL_WARN);
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && strcmp(argv[1], "--man") == 0) {
		options_man();
		return EXIT_OK;
	}
	if (argc < 2 || argv[1][0] == '-')
		return run_command(CMD_INSTALL, cmd_install, argc, argv);
	if (argc == 3 && strcmp(argv[1], "node") == 0 && strcmp(argv[2], "serve") == 0)
		return node_serve(NULL, NULL);
	if (argc == 7 && strcmp(argv[1], "node") == 0 && strcmp(argv[2], "serve") == 0 &&
	    strcmp(argv[3], "--placed") == 0 && strcmp(argv[5], "--token") == 0)
		return node_serve(argv[4], argv[6]);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		int words = commands[i].second ? 2 : 1;

		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (words == 2 && (argc < 3 || strcmp(argv[2], commands[i].second) != 0))
			continue;
		return run_command(commands[i].cmd, commands[i].run, argc - words, argv + words);
	}
	if (strcmp(argv[1], "node") == 0)
		return unknown_command(argc > 2 ? "node: this subcommand" : "node");
	return unknown_command(argv[1]);
}
