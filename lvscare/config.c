// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include "cli.h"
#include "err.h"
#include "log.h"
#include "mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_CERT "/var/lib/kubelet/pki/kubelet-client-current.pem"
#define CA_FILE     CONFIG_CA

/* Values as they stand on the command line, before they are checked. */
struct raw {
	bool run_once, clean, insecure, man;
	const char *vs, *scheduler, *node_ip, *ca_file, *scheme, *path, *method, *body, *level,
	    *mode, *backend;
	const char *log_format, *listen, *iface, *client_cert, *state_file;
	struct strlist rs, headers, status;
	unsigned interval, fast, timeout, tick, fall, rise, slow_start, masquerade_bit;
};

#define RULE_OPTIONS   10
#define DAEMON_OPTIONS 16
#define GO_OPTIONS     10
#define OPTIONS_MAX    (RULE_OPTIONS + DAEMON_OPTIONS + GO_OPTIONS)

static const char text[] =
    "One virtual address stands for all API servers of a cluster; the kernel's IPVS (or "
    "nftables, where there is no IPVS) forwards each connection to one of them. lvscare writes "
    "these rules and then keeps them as they must be: "
    "rules that others changed are put back, a server that refuses connections or gives no sign of "
    "life is taken out, one that is not ready or too busy to answer gets no new connections, and "
    "one "
    "that has recovered comes back. The last usable server is never taken out. Rules of other "
    "virtual "
    "servers are never touched. When lvscare ends, the rules stay and traffic flows on.\n\n"
    "Which API servers there are is learned from the cluster, as soon as its certificate authority "
    "and a client certificate are there: the EndpointSlice of default/kubernetes is watched. What "
    "it says replaces the servers of --rs and is remembered in the state file, for the next start; "
    "a "
    "server that it does not name stays for as long as it answers. "
    "A list is never replaced by an empty one, and with nobody up all servers that were ever known "
    "are tried. --run-once asks nobody; it adds what the state file says.\n\n"
    "Other options take effect by a restart, which changes nothing that is right: lvscare begins "
    "with the rules that the kernel has.\n\n"
    "\"lvscare status\" shows what there is, \"lvscare check\" whether it can be used; both have "
    "--help.\n\n"
    "Durations are written 500ms, 2s or 1m; a plain number means seconds.\n\n"
    "Exit status: 0 done, or ended by SIGTERM or SIGINT; 1 failed; 2 wrong usage, nothing was "
    "changed.";

/* Spellings and options of the Go program, and the end of the list. */
static void options_go(struct cli_option *o, struct raw *r)
{
	const struct cli_option rows[] = {
	    {0, "health-schem", CLI_STRING, "https|http", NULL, &r->scheme, 0, 0, false},
	    {0, "health-timeout", CLI_DURATION, "TIME", NULL, &r->timeout, 50, 60000, false},
	    {0, "health-req-body", CLI_STRING, "TEXT", NULL, &r->body, 0, 0, false},
	    {0, "logger", CLI_STRING, "LEVEL", NULL, &r->level, 0, 0, false},
	    {0, "ip", CLI_STRING, "ADDRESS", NULL, &r->node_ip, 0, 0, false},
	    {0, "mode", CLI_STRING, "route|link", NULL, &r->mode, 0, 0, false},
	    {0, "iface", CLI_STRING, "NAME", NULL, &r->iface, 0, 0, false},
	    {0, "masqueradebit", CLI_UINT, "BIT", NULL, &r->masquerade_bit, 0, 0, false},
	    {0, "man", CLI_FLAG, NULL, NULL, &r->man, 0, 0, false},
	    {0, NULL, CLI_FLAG, NULL, NULL, NULL, 0, 0, false},
	};

	_Static_assert(ARRAY_SIZE(rows) == GO_OPTIONS, "as many as there is room for");
	memcpy(o, rows, sizeof(rows));
}

/* What is to be done, and the rules. */
static void options_rules(struct cli_option *o, struct raw *r)
{
	const struct cli_option rows[] = {
	    {0, "vs", CLI_STRING, "ADDRESS:PORT", "The virtual server.", &r->vs, 0, 0, false},
	    {0, "rs", CLI_LIST, "ADDRESS:PORT",
	     "A real server (repeat, or separate with commas); without a port the virtual "
	     "server's.",
	     &r->rs, 0, 0, true},
	    {0, "run-once", CLI_FLAG, NULL, "Write the rules and exit.", &r->run_once, 0, 0, false},
	    {'C', "clean", CLI_FLAG, NULL,
	     "Remove the rules and the state file, and exit (no --rs).", &r->clean, 0, 0, false},
	    {0, "scheduler", CLI_STRING, "NAME",
	     "IPVS scheduler (default: wrr); nftables has rr, wrr and sh.", &r->scheduler, 0, 0,
	     false},
	    {0, "backend", CLI_STRING, "auto|ipvs|nft",
	     "What in the kernel forwards: IPVS or nftables (default: auto, nftables where the "
	     "kernel has no IPVS).",
	     &r->backend, 0, 0, false},
	    {0, "node-ip", CLI_STRING, "ADDRESS",
	     "Source of connections to the virtual server (default: the address from which this "
	     "node reaches the first real server).",
	     &r->node_ip, 0, 0, false},
	    {0, "ca-file", CLI_STRING, "FILE",
	     "Certificate authority of the API servers; verified as soon as the file exists "
	     "(default: " CA_FILE ").",
	     &r->ca_file, 0, 0, false},
	    {0, "client-cert", CLI_STRING, "FILE|none",
	     "Certificate and key to ask the cluster for its API servers, and to probe those that "
	     "refuse anonymous requests (default: " CLIENT_CERT ").",
	     &r->client_cert, 0, 0, false},
	    {0, "state-file", CLI_STRING, "FILE|none",
	     "Where they are remembered (default: " MASTERS_DIR "/masters-ADDRESS-PORT).",
	     &r->state_file, 0, 0, false},
	};

	_Static_assert(ARRAY_SIZE(rows) == RULE_OPTIONS, "as many as there is room for");
	memcpy(o, rows, sizeof(rows));
}

/* Questions to the servers, the log and the daemon's own server. */
static void options_daemon(struct cli_option *o, struct raw *r)
{
	const struct cli_option rows[] = {
	    {0, "interval", CLI_DURATION, "TIME",
	     "Between two probes of a server on a new connection (default: 2s); five times that "
	     "while the last one is kept and answers.",
	     &r->interval, 100, 0, false},
	    {0, "fast-interval", CLI_DURATION, "TIME",
	     "The same while a server's state is about to change or its port is closed, and "
	     "between two questions on a connection that is kept (default: 500ms).",
	     &r->fast, 50, 0, false},
	    {0, "timeout", CLI_DURATION, "TIME", "Deadline of one probe (default: 2s).",
	     &r->timeout, 50, 60000, false},
	    {0, "tick", CLI_DURATION, "TIME",
	     "Between two looks at the kernel's rules (default: 100ms).", &r->tick, 20, 10000,
	     false},
	    {0, "fall", CLI_UINT, "N",
	     "Failed probes in a row that take a server out (default: 2); a refused connection "
	     "takes it out at once.",
	     &r->fall, 1, 100, false},
	    {0, "rise", CLI_UINT, "N", "Good probes in a row that bring it back (default: 2).",
	     &r->rise, 1, 100, false},
	    {0, "slow-start", CLI_DURATION, "TIME",
	     "How long a server that has come back gets less than its share, with the schedulers "
	     "wrr, wlc, sed and nq (default: 30s).",
	     &r->slow_start, 0, 3600000, false},
	    {0, "health-scheme", CLI_STRING, "https|http", "How to ask (default: https).",
	     &r->scheme, 0, 0, false},
	    {0, "health-path", CLI_STRING, "PATH", "What to ask for (default: /readyz).", &r->path,
	     0, 0, false},
	    {0, "health-req-method", CLI_STRING, "METHOD", "HTTP method (default: GET).",
	     &r->method, 0, 0, false},
	    {0, "health-req-headers", CLI_LIST, "NAME=VALUE", "More request headers.", &r->headers,
	     0, 0, true},
	    {0, "health-status", CLI_LIST, "CODE|FROM-TO",
	     "Answers that mean ready (default: 200-299); 401 and 403 always mean alive.",
	     &r->status, 0, 0, true},
	    {0, "health-insecure-skip-verify", CLI_FLAG, NULL,
	     "Never verify the servers' certificates.", &r->insecure, 0, 0, false},
	    {0, "log-level", CLI_STRING, "LEVEL", "error, warn, info or debug (default: info).",
	     &r->level, 0, 0, false},
	    {0, "log-format", CLI_STRING, "text|json", "Form of the log's lines (default: text).",
	     &r->log_format, 0, 0, false},
	    {0, "listen", CLI_STRING, "ADDRESS:PORT|none",
	     "Where health and metrics are served: /healthz, /metrics, /status "
	     "(default: " CONFIG_LISTEN ", or one of the next seven ports where another lvscare "
	     "has it).",
	     &r->listen, 0, 0, false},
	};

	_Static_assert(ARRAY_SIZE(rows) == DAEMON_OPTIONS, "as many as there is room for");
	memcpy(o, rows, sizeof(rows));
}

static void options_init(struct cli_option *o, struct raw *r)
{
	options_rules(o, r);
	options_daemon(o + RULE_OPTIONS, r);
	options_go(o + RULE_OPTIONS + DAEMON_OPTIONS, r);
}

static struct cli_command command(const struct cli_option *options)
{
	return (struct cli_command){
	    .prog = "lvscare",
	    .synopsis = "[options] --vs ADDRESS:PORT --rs ADDRESS:PORT...",
	    .summary = "Keeps kernel rules so that one address reaches every live API server.",
	    .text = text,
	    .options = options,
	};
}

void config_man(void (*print)(const struct cli_command *, FILE *))
{
	struct cli_option options[OPTIONS_MAX];
	struct raw r = {0};
	struct cli_command cmd = command(options);

	options_init(options, &r);
	print(&cmd, stdout);
}

static bool one_of(const char *s, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(s, *names) == 0)
			return true;
	return false;
}

static int check_servers(struct config *c, const struct raw *r, struct err *err)
{
	char a[ADDR_STR_MAX], b[ADDR_STR_MAX];

	if (!r->vs)
		return err_set_code(err, EXIT_USAGE, "--vs is missing: which virtual server?");
	if (addr_parse(r->vs, 0, "--vs", &c->vs, err) < 0)
		return -1;
	if (!c->vs.port)
		return err_set_code(err, EXIT_USAGE, "--vs: \"%s\" has no port", r->vs);
	if (r->rs.n > MASTERS_MAX)
		return err_set_code(err, EXIT_USAGE, "--rs: %zu real servers are more than %d",
		                    r->rs.n, MASTERS_MAX);
	for (size_t i = 0; i < r->rs.n; i++) {
		struct addr *rs = &c->rs[c->n_rs];

		if (addr_parse(r->rs.v[i], c->vs.port, "--rs", rs, err) < 0)
			return -1;
		addr_str(rs, a);
		if (rs->family != c->vs.family)
			return err_set_code(err, EXIT_USAGE,
			                    "--rs: %s and --vs %s are not both IPv4 or both IPv6",
			                    a, addr_str(&c->vs, b));
		if (addr_same_host(rs, &c->vs))
			return err_set_code(err, EXIT_USAGE,
			                    "--rs: %s is the address of the virtual server itself",
			                    a);
		for (size_t j = 0; j < c->n_rs; j++)
			if (addr_eq(rs, &c->rs[j]))
				return err_set_code(err, EXIT_USAGE, "--rs: %s is given twice", a);
		c->n_rs++;
	}
	if (!c->n_rs && c->action != ACTION_CLEAN)
		return err_set_code(err, EXIT_USAGE, "--rs is missing: which real servers?");
	return 0;
}

static int check_node_ip(struct config *c, const struct raw *r, struct err *err)
{
	if (!r->node_ip)
		return 0;
	if (addr_parse(r->node_ip, 0, "--node-ip", &c->node_ip, err) < 0)
		return -1;
	if (c->node_ip.port)
		return err_set_code(err, EXIT_USAGE, "--node-ip: \"%s\" has a port", r->node_ip);
	if (c->node_ip.family != c->vs.family)
		return err_set_code(err, EXIT_USAGE,
		                    "--node-ip: %s and --vs %s are not both IPv4 or both IPv6",
		                    r->node_ip, r->vs);
	if (addr_same_host(&c->node_ip, &c->vs))
		return err_set_code(err, EXIT_USAGE,
		                    "--node-ip: %s is the address of the virtual server itself",
		                    r->node_ip);
	return 0;
}

int config_listen(const char *s, struct addr *out, struct err *err)
{
	*out = (struct addr){0};
	if (strcmp(s, "none") == 0)
		return 0;
	if (addr_parse(s, 0, "--listen", out, err) < 0)
		return -1;
	if (!out->port)
		return err_set_code(err, EXIT_USAGE, "--listen: \"%s\" has no port", s);
	return 0;
}

/* Others give each the same, or go by connections or addresses alone. */
static bool weighted(const char *scheduler)
{
	static const char *const names[] = {"wrr", "wlc", "sed", "nq", NULL};

	return one_of(scheduler, names);
}

static int check_words(struct config *c, const struct raw *r, struct err *err)
{
	static const char *const schedulers[] = {"rr",    "wrr", "lc",  "wlc",  "lblc",
	                                         "lblcr", "dh",  "sh",  "mh",   "sed",
	                                         "nq",    "fo",  "ovf", "twos", NULL};
	static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

	if (!one_of(c->scheduler, schedulers))
		return err_set_code(
		    err, EXIT_USAGE,
		    "--scheduler: \"%s\" is not a scheduler of IPVS (rr, wrr, lc, wlc, "
		    "lblc, lblcr, dh, sh, mh, sed, nq, fo, ovf, twos)",
		    c->scheduler);
	for (c->log_level = 0; levels[c->log_level]; c->log_level++)
		if (strcasecmp(r->level, levels[c->log_level]) == 0)
			break;
	if (!levels[c->log_level])
		return err_set_code(err, EXIT_USAGE,
		                    "--log-level: \"%s\" is not error, warn, info or debug",
		                    r->level);
	c->log_json = strcmp(r->log_format, "json") == 0;
	if (!c->log_json && strcmp(r->log_format, "text") != 0)
		return err_set_code(err, EXIT_USAGE, "--log-format: \"%s\" is not text or json",
		                    r->log_format);
	c->backend = backend_by_name(r->backend);
	if (c->backend == BACKEND_KINDS)
		return err_set_code(err, EXIT_USAGE, "--backend: \"%s\" is not auto, ipvs or nft",
		                    r->backend);
	if (strcmp(r->mode, "route") != 0 && strcmp(r->mode, "link") != 0)
		return err_set_code(err, EXIT_USAGE, "--mode: \"%s\" is not route or link",
		                    r->mode);
	if (strcmp(r->mode, "link") == 0)
		c->ignored = "--mode link";
	if (r->iface)
		c->ignored = "--iface";
	if (r->body)
		c->ignored = "--health-req-body";
	return 0;
}

static int check_status(struct config *c, const struct raw *r, struct err *err)
{
	struct probe_conf *p = &c->probe;

	if (!r->status.n)
		p->ready[p->n_ready++] = (struct status_range){200, 299};
	for (size_t i = 0; i < r->status.n; i++) {
		const char *s = r->status.v[i];
		struct status_range range;
		int used = 0;

		if (p->n_ready == STATUS_RANGES_MAX)
			return err_set_code(err, EXIT_USAGE,
			                    "--health-status: more than %d of them",
			                    STATUS_RANGES_MAX);
		if (sscanf(s, "%3d%n", &range.from, &used) == 1 && !s[used])
			range.to = range.from;
		else if (sscanf(s, "%3d-%3d%n", &range.from, &range.to, &used) != 2 || s[used])
			used = 0;
		if (!used || !isdigit((unsigned char)*s) || range.from < 100 || range.to > 599 ||
		    range.from > range.to)
			return err_set_code(
			    err, EXIT_USAGE,
			    "--health-status: \"%s\" is not a status such as 200 or a range "
			    "such as 200-299",
			    s);
		p->ready[p->n_ready++] = range;
	}
	return 0;
}

/* A value that goes into the request as it is: printable, one line. */
static bool printable(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

static int build_request(struct config *c, const struct raw *r, struct err *err)
{
	if (strcmp(r->scheme, "https") != 0 && strcmp(r->scheme, "http") != 0)
		return err_set_code(err, EXIT_USAGE, "--health-scheme: \"%s\" is not https or http",
		                    r->scheme);
	if (*r->path != '/' || !printable(r->path) || strchr(r->path, ' '))
		return err_set_code(err, EXIT_USAGE,
		                    "--health-path: \"%s\" is not a path such as /readyz", r->path);
	if (r->method[strspn(r->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
		return err_set_code(err, EXIT_USAGE,
		                    "--health-req-method: \"%s\" is not a method such as GET",
		                    r->method);
	strbuf_addf(&c->request, "%s %s HTTP/1.1\r\nHost: ", r->method, r->path);
	strbuf_addstr(&c->trailer,
	              "\r\nUser-Agent: lvscare/" KUBECASK_VERSION "\r\nAccept: */*\r\n");
	for (size_t i = 0; i < r->headers.n; i++) {
		const char *h = r->headers.v[i];
		const char *eq = strchr(h, '=');

		if (!eq || eq == h || !printable(h) || strcspn(h, " :") < (size_t)(eq - h))
			return err_set_code(err, EXIT_USAGE,
			                    "--health-req-headers: \"%s\" is not NAME=VALUE", h);
		strbuf_addf(&c->trailer, "%.*s: %s\r\n", (int)(eq - h), h, eq + 1);
	}
	strbuf_addstr(&c->trailer, "\r\n");
	c->probe.tls = strcmp(r->scheme, "https") == 0;
	c->probe.request = strbuf_str(&c->request);
	c->probe.trailer = strbuf_str(&c->trailer);
	return 0;
}

/* Without a verified server nobody is asked for masters, and so there are none to remember. */
static void check_discovery(struct config *c, const struct raw *r)
{
	bool off = r->insecure || strcmp(r->scheme, "http") == 0 ||
	           strcmp(r->client_cert, "none") == 0;

	c->client_cert = off ? NULL : r->client_cert;
	c->state_file = r->state_file ? r->state_file : c->state_path;
	if (off || strcmp(c->state_file, "none") == 0)
		c->state_file = NULL;
	masters_path(c->state_path, &c->vs);
}

static int check_listen(struct config *c, const struct raw *r, struct err *err)
{
	c->listen_spare = r->listen ? 0 : CONFIG_LISTEN_SPARE;
	return config_listen(r->listen ? r->listen : CONFIG_LISTEN, &c->listen, err);
}

static int check(struct config *c, const struct raw *r, struct err *err)
{
	if (r->run_once && r->clean)
		return err_set_code(err, EXIT_USAGE, "--run-once and --clean exclude each other");
	c->action = r->clean ? ACTION_CLEAN : r->run_once ? ACTION_RUN_ONCE : ACTION_GUARD;
	c->scheduler = r->scheduler;
	c->ca_file = r->ca_file;
	c->insecure = r->insecure;
	c->interval_ms = r->interval;
	c->fast_ms = r->fast < r->interval ? r->fast : r->interval;
	c->tick_ms = r->tick;
	c->probe.timeout_ms = r->timeout;
	c->fall = r->fall;
	c->rise = r->rise;
	c->slow_start_ms = weighted(r->scheduler) ? r->slow_start : 0;
	if (check_servers(c, r, err) < 0 || check_node_ip(c, r, err) < 0 ||
	    check_listen(c, r, err) < 0 || check_words(c, r, err) < 0 ||
	    check_status(c, r, err) < 0)
		return -1;
	check_discovery(c, r);
	return build_request(c, r, err);
}

/* Go's flags take "--clean=true" and "--clean=false"; ours have no value. Returns the new argc. */
static int plain_flags(int argc, char **argv, const struct cli_option *options)
{
	int out = 1;

	for (int i = 1; i < argc; i++) {
		char *eq = strncmp(argv[i], "--", 2) == 0 ? strchr(argv[i], '=') : NULL;
		bool flag = false;

		for (const struct cli_option *o = options; eq && o->name; o++)
			flag |= o->kind == CLI_FLAG &&
			        strlen(o->name) == (size_t)(eq - argv[i] - 2) &&
			        strncmp(argv[i] + 2, o->name, strlen(o->name)) == 0;
		if (flag && strcmp(eq, "=false") == 0)
			continue;
		if (flag && strcmp(eq, "=true") == 0)
			*eq = '\0';
		argv[out++] = argv[i];
	}
	argv[out] = NULL;
	return out;
}

int config_parse(struct config *c, int argc, char **argv, struct err *err)
{
	struct raw r = {.scheduler = "wrr",
	                .ca_file = CA_FILE,
	                .client_cert = CLIENT_CERT,
	                .scheme = "https",
	                .path = "/readyz",
	                .method = "GET",
	                .level = "info",
	                .mode = "route",
	                .backend = "auto",
	                .log_format = "text",
	                .interval = 2000,
	                .fast = 500,
	                .timeout = 2000,
	                .tick = 100,
	                .fall = 2,
	                .rise = 2,
	                .slow_start = 30000};
	struct cli_option options[OPTIONS_MAX];
	struct cli_command cmd = command(options);
	int rc;

	if (argc > 1 && strcmp(argv[1], "care") == 0) {
		argv++;
		argc--;
	}
	options_init(options, &r);
	rc = cli_parse(&cmd, plain_flags(argc, argv, options), argv, NULL, err);
	if (rc == 0 && r.man)
		c->action = ACTION_MAN;
	else if (rc == 0)
		rc = check(c, &r, err);
	strlist_release(&r.rs);
	strlist_release(&r.headers);
	strlist_release(&r.status);
	return rc;
}

void config_release(struct config *c)
{
	strbuf_release(&c->request);
	strbuf_release(&c->trailer);
	*c = (struct config){0};
}
