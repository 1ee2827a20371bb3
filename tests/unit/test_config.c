/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "config.h"
#include "err.h"
#include "log.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_MAX 40

/* Parses a command line written with blanks; argv lives until the next call. */
static int parse(struct config *c, const char *line, struct err *err)
{
	static char buf[1024];
	static char *argv[ARGS_MAX];
	int argc = 0;
	char *next = buf;

	*c = (struct config){0};
	*err = (struct err){0};
	strcpy(buf, line);
	while (next)
		argv[argc++] = strsep(&next, " ");
	argv[argc] = NULL;
	return config_parse(c, argc, argv, err);
}

static void the_defaults(void **state)
{
	struct config c;
	struct err err;
	char buf[ADDR_STR_MAX];

	(void)state;
	assert_int_equal(
	    parse(&c, "lvscare --vs 169.254.97.2:6443 --rs 10.0.0.1 --rs 10.0.0.2:6444", &err), 0);
	assert_int_equal(c.action, ACTION_GUARD);
	assert_string_equal(addr_str(&c.rs[0], buf),
	                    "10.0.0.1:6443"); /* the virtual server's port */
	assert_string_equal(addr_str(&c.rs[1], buf), "10.0.0.2:6444");
	assert_string_equal(c.scheduler, "wrr");
	assert_int_equal(c.backend, BACKEND_AUTO);
	assert_string_equal(c.ca_file, "/etc/kubernetes/pki/ca.crt");
	assert_int_equal(c.interval_ms, 2000);
	assert_int_equal(c.fast_ms, 500);
	assert_int_equal(c.probe.timeout_ms, 2000);
	assert_int_equal(c.tick_ms, 100);
	assert_string_equal(c.client_cert, "/var/lib/kubelet/pki/kubelet-client-current.pem");
	assert_string_equal(c.state_file, "/var/lib/lvscare/masters-169.254.97.2-6443");
	assert_int_equal(c.fall, 2);
	assert_int_equal(c.rise, 2);
	assert_int_equal(c.slow_start_ms, 30000);
	assert_int_equal(c.log_level, LOG_LVL_INFO);
	assert_true(c.probe.tls);
	assert_string_equal(c.probe.request, "GET /readyz HTTP/1.1\r\nHost: ");
	assert_string_equal(c.probe.trailer,
	                    "\r\nUser-Agent: lvscare/" KUBECASK_VERSION "\r\nAccept: */*\r\n\r\n");
	assert_null(c.ignored);
	assert_string_equal(addr_str(&c.listen, buf), "127.0.0.1:10297");
	assert_int_equal(c.listen_spare, 7);
	assert_false(c.log_json);
	config_release(&c);
}

static void listening_and_logging(void **state)
{
	struct config c;
	struct err err;
	char buf[ADDR_STR_MAX];

	(void)state;
	assert_int_equal(parse(&c,
	                       "lvscare --vs 169.254.97.2:6443 --rs 10.0.0.1 --listen [::1]:9 "
	                       "--log-format json",
	                       &err),
	                 0);
	assert_string_equal(addr_str(&c.listen, buf), "[::1]:9");
	assert_true(c.log_json);
	config_release(&c);
	assert_int_equal(
	    parse(&c, "lvscare --vs 169.254.97.2:6443 --rs 10.0.0.1 --listen none", &err), 0);
	assert_int_equal(c.listen.port, 0);
	config_release(&c);
}

static void command_lines_of_the_go_program(void **state)
{
	struct config c;
	struct err err;

	(void)state;
	assert_int_equal(
	    parse(&c,
	          "lvscare care --vs 10.103.97.2:6443 --health-path /healthz "
	          "--health-schem https --rs 10.0.0.1:6443,10.0.0.2:6443 --interval 5 "
	          "--logger INFO --health-req-headers A=b,C=d --health-status 200,429-430",
	          &err),
	    0);
	assert_int_equal(c.n_rs, 2);
	assert_int_equal(c.interval_ms, 5000);
	assert_non_null(strstr(c.probe.request, "GET /healthz "));
	assert_non_null(strstr(c.probe.trailer, "\r\nA: b\r\nC: d\r\n\r\n"));
	assert_int_equal(c.probe.n_ready, 2);
	assert_int_equal(c.probe.ready[1].from, 429);
	assert_int_equal(c.probe.ready[1].to, 430);
	config_release(&c);

	assert_int_equal(parse(&c,
	                       "lvscare care --vs 10.103.97.2:6443 --rs 10.0.0.1:6443 --mode link "
	                       "--run-once=true --clean=false --masqueradebit 0 --ip 10.0.0.9 "
	                       "--health-insecure-skip-verify=true --health-timeout 3",
	                       &err),
	                 0);
	assert_int_equal(c.action, ACTION_RUN_ONCE);
	assert_true(c.insecure);
	assert_int_equal(c.probe.timeout_ms, 3000);
	assert_int_equal(c.node_ip.family, AF_INET);
	assert_string_equal(c.ignored, "--mode link");
	config_release(&c);

	assert_int_equal(parse(&c, "lvscare --vs 10.103.97.2:6443 -C --iface lvscare", &err), 0);
	assert_int_equal(c.action, ACTION_CLEAN);
	assert_string_equal(c.ignored, "--iface");
	config_release(&c);
	assert_int_equal(parse(&c, "lvscare --man", &err), 0);
	assert_int_equal(c.action, ACTION_MAN);
	config_release(&c);
}

#define GOOD "lvscare --vs 1.2.3.4:6443 --rs 10.0.0.1:6443 "

static void each_mistake_has_its_sentence(void **state)
{
	static const struct {
		const char *line, *msg;
	} cases[] = {
	    {"lvscare", "--vs is missing: which virtual server?"},
	    {"lvscare --rs 10.0.0.1:6443", "--vs is missing: which virtual server?"},
	    {"lvscare --vs 1.2.3.4:6443", "--rs is missing: which real servers?"},
	    {"lvscare --vs 1.2.3.4 --rs 10.0.0.1", "--vs: \"1.2.3.4\" has no port"},
	    {"lvscare --vs host:1 --rs 10.0.0.1",
	     "--vs: \"host:1\" is not a numeric IPv4 or IPv6 address"},
	    {"lvscare --vs 1.2.3.4:1 --rs 10.0.0.1:99999",
	     "--rs: \"10.0.0.1:99999\" has no port between 1 and 65535"},
	    {GOOD "--rs 10.0.0.1:6443", "--rs: 10.0.0.1:6443 is given twice"},
	    {GOOD "--rs 10.0.0.1", "--rs: 10.0.0.1:6443 is given twice"},
	    {GOOD "--rs 1.2.3.4:7", "--rs: 1.2.3.4:7 is the address of the virtual server itself"},
	    {GOOD "--rs [fd00::1]:6443",
	     "--rs: [fd00::1]:6443 and --vs 1.2.3.4:6443 are not both IPv4 or both IPv6"},
	    {GOOD "--node-ip fd00::1",
	     "--node-ip: fd00::1 and --vs 1.2.3.4:6443 are not both IPv4 or both IPv6"},
	    {GOOD "--node-ip 10.0.0.1:5", "--node-ip: \"10.0.0.1:5\" has a port"},
	    {GOOD "--node-ip 1.2.3.4",
	     "--node-ip: 1.2.3.4 is the address of the virtual server itself"},
	    {GOOD "--scheduler random",
	     "--scheduler: \"random\" is not a scheduler of IPVS (rr, wrr, lc, wlc, lblc, lblcr, "
	     "dh, sh, mh, sed, nq, fo, ovf, twos)"},
	    {GOOD "--log-level loud", "--log-level: \"loud\" is not error, warn, info or debug"},
	    {GOOD "--log-format xml", "--log-format: \"xml\" is not text or json"},
	    {GOOD "--listen 127.0.0.1", "--listen: \"127.0.0.1\" has no port"},
	    {GOOD "--listen localhost:1",
	     "--listen: \"localhost:1\" is not a numeric IPv4 or IPv6 address"},
	    {GOOD "--mode ipip", "--mode: \"ipip\" is not route or link"},
	    {GOOD "--health-scheme ftp", "--health-scheme: \"ftp\" is not https or http"},
	    {GOOD "--health-path readyz",
	     "--health-path: \"readyz\" is not a path such as /readyz"},
	    {GOOD "--health-path /a\r\nX:b",
	     "--health-path: \"/a\r\nX:b\" is not a path such as /readyz"},
	    {GOOD "--health-req-method get",
	     "--health-req-method: \"get\" is not a method such as GET"},
	    {GOOD "--health-req-headers A", "--health-req-headers: \"A\" is not NAME=VALUE"},
	    {GOOD "--health-req-headers A=b\nC:d",
	     "--health-req-headers: \"A=b\nC:d\" is not NAME=VALUE"},
	    {GOOD "--health-status 20x",
	     "--health-status: \"20x\" is not a status such as 200 or a range such as 200-299"},
	    {GOOD "--health-status 299-200",
	     "--health-status: \"299-200\" is not a status such as 200 or a range such as 200-299"},
	    {GOOD "--health-status 200-",
	     "--health-status: \"200-\" is not a status such as 200 or a range such as 200-299"},
	    {GOOD "--health-status +99",
	     "--health-status: \"+99\" is not a status such as 200 or a range such as 200-299"},
	    {GOOD "--health-status 200,201,202,203,204,205,206,207,208",
	     "--health-status: more than 8 of them"},
	    {GOOD "--run-once --clean", "--run-once and --clean exclude each other"},
	    {GOOD "--interval 5parsec",
	     "--interval: \"5parsec\" is not a duration such as 500ms, 2s or 1m"},
	};
	struct config c;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(&c, cases[i].line, &err), -1);
		assert_string_equal(err.msg, cases[i].msg);
		assert_int_equal(err_exit(&err), EXIT_USAGE);
		config_release(&c);
	}
}

static void too_many_servers(void **state)
{
	char line[1024] = "lvscare --vs 1.2.3.4:1";
	struct config c;
	struct err err;

	(void)state;
	strcat(line, " --rs 10.0.0.1");
	for (int i = 2; i <= DESTS_MAX / 2 + 1; i++)
		sprintf(line + strlen(line), ",10.0.0.%d", i);
	assert_int_equal(parse(&c, line, &err), -1);
	assert_string_equal(err.msg, "--rs: 33 real servers are more than 32");
	config_release(&c);
}

/* Without verified servers nobody is asked for masters, and none are remembered. */
static void discovery_can_be_off(void **state)
{
	static const char *const off[] = {"--client-cert none", "--health-scheme http",
	                                  "--health-insecure-skip-verify"};
	char line[256];
	struct config c;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		snprintf(line, sizeof(line), GOOD "%s", off[i]);
		assert_int_equal(parse(&c, line, &err), 0);
		assert_null(c.client_cert);
		assert_null(c.state_file);
		config_release(&c);
	}
	assert_int_equal(parse(&c, GOOD "--state-file none --client-cert /a.pem", &err), 0);
	assert_string_equal(c.client_cert, "/a.pem");
	assert_null(c.state_file);
	config_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_defaults),
	    cmocka_unit_test(listening_and_logging),
	    cmocka_unit_test(command_lines_of_the_go_program),
	    cmocka_unit_test(each_mistake_has_its_sentence),
	    cmocka_unit_test(too_many_servers),
	    cmocka_unit_test(discovery_can_be_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
