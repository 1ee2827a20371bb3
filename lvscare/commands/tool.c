// SPDX-License-Identifier: Apache-2.0
#include "tool.h"

#include "check.h"
#include "cli.h"
#include "config.h"
#include "err.h"
#include "inspect.h"
#include "mem.h"
#include "status.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 8

struct tool {
	const char *vs, *listen, *ca_file;
	bool json;
};

enum command { STATUS, CHECK, COMMANDS };

static const char *const names[COMMANDS] = {"status", "check"};

static void options_init(struct cli_option *o, struct tool *t, enum command which)
{
	const struct cli_option vs = {
	    0,
	    "vs",
	    CLI_STRING,
	    "ADDRESS:PORT",
	    "The virtual server (default: that of the daemon, or of lvscare's route).",
	    &t->vs,
	    0,
	    0,
	    false};
	const struct cli_option listen = {0,
	                                  "listen",
	                                  CLI_STRING,
	                                  "ADDRESS:PORT|none",
	                                  "Where the daemon serves (default: " CONFIG_LISTEN
	                                  " and the next seven ports).",
	                                  &t->listen,
	                                  0,
	                                  0,
	                                  false};
	const struct cli_option json = {0,        "json", CLI_FLAG, NULL, "One JSON object.",
	                                &t->json, 0,      0,        false};
	const struct cli_option ca = {
	    0,
	    "ca-file",
	    CLI_STRING,
	    "FILE",
	    "Certificate authority of the API servers (default: " CONFIG_CA ").",
	    &t->ca_file,
	    0,
	    0,
	    false};

	*o++ = vs;
	*o++ = listen;
	*o++ = which == STATUS ? json : ca;
	*o = (struct cli_option){0};
}

static struct cli_command command(enum command which, const struct cli_option *options)
{
	static const struct cli_command commands[COMMANDS] = {
	    [STATUS] = {.prog = "lvscare status",
	                .synopsis = "[options]",
	                .summary =
	                    "Shows the virtual server: rules, route, real servers and daemon.",
	                .text = "What the kernel has is shown without a daemon, too. Needs root or "
	                        "CAP_NET_ADMIN.\n\n"
	                        "Exit status: 0 all is there and a healthy daemon guards it; 1 "
	                        "something is missing; 2 wrong usage."},
	    [CHECK] =
		{.prog = "lvscare check",
	         .synopsis = "[options]",
	         .summary = "Checks whether the virtual server can be used from this node.",
	         .text =
	             "One line each, ok, warning or error: the daemon, IPVS, the service and its "
	             "real servers, the kernel's switches, the address, the route and its "
	             "source, a TLS connection through the virtual server, and whether each API "
	             "server's certificate is trusted and names the virtual address. Needs root "
	             "or CAP_NET_ADMIN.\n\n"
	             "Exit status: 0 no errors; 1 errors; 2 wrong usage."},
	};
	struct cli_command c = commands[which];

	c.options = options;
	return c;
}

bool tool_named(int argc, char **argv)
{
	return argc > 1 &&
	       (strcmp(argv[1], names[STATUS]) == 0 || strcmp(argv[1], names[CHECK]) == 0);
}

static int show_status(const struct inspection *v, bool json)
{
	auto_strbuf out = {0};

	if (json)
		status_json(v, &out);
	else
		status_table(v, &out);
	fputs(strbuf_str(&out), stdout);
	return status_good(v) ? EXIT_OK : EXIT_FAILED;
}

static int parse_addresses(const struct tool *t, struct addr *vs, struct addr *daemon,
                           struct err *err)
{
	if (t->vs && addr_parse(t->vs, 0, "--vs", vs, err) < 0)
		return -1;
	if (t->vs && !vs->port)
		return err_set_code(err, EXIT_USAGE, "--vs: \"%s\" has no port", t->vs);
	return config_listen(t->listen ? t->listen : CONFIG_LISTEN, daemon, err);
}

int tool_run(int argc, char **argv, struct err *err)
{
	enum command which = strcmp(argv[1], names[CHECK]) == 0 ? CHECK : STATUS;
	struct tool t = {.ca_file = CONFIG_CA};
	struct addr vs = {0}, daemon;
	struct cli_option options[OPTIONS_MAX];
	struct cli_command cmd = command(which, options);
	auto_free struct inspection *v = xcalloc(1, sizeof(*v));
	int rc;

	options_init(options, &t, which);
	rc = cli_parse(&cmd, argc - 1, argv + 1, NULL, err);
	if (rc)
		return rc < 0 ? -1 : EXIT_OK;
	if (parse_addresses(&t, &vs, &daemon, err) < 0 ||
	    inspect(v, &vs, &daemon, t.listen ? 0 : CONFIG_LISTEN_SPARE, err) < 0)
		return -1;
	if (which == STATUS)
		return show_status(v, t.json);
	return check_all(v, t.ca_file, stdout) ? EXIT_FAILED : EXIT_OK;
}

void tool_man(const struct cli_command *main, FILE *out)
{
	struct cli_option options[COMMANDS][OPTIONS_MAX];
	struct cli_command commands[COMMANDS];
	const struct cli_command *more[COMMANDS + 1] = {0};
	struct tool t;

	for (enum command i = STATUS; i < COMMANDS; i++) {
		options_init(options[i], &t, i);
		commands[i] = command(i, options[i]);
		more[i] = &commands[i];
	}
	cli_man(main, more, out);
}
