// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "err.h"
#include "fs.h"
#include "health/dial.h"
#include "health/tls.h"
#include "inspect.h"
#include "kernel/sysctl.h"
#include "strbuf.h"

#include <linux/netlink.h>
#include <stdarg.h>

#define TIMEOUT_MS  3000
#define CA_FILE_MAX (1u << 20) /* bytes */

enum level { OK, WARNING, ERROR };

struct check {
	const struct inspection *v;
	FILE *out;
	unsigned errors;
};

__attribute__((format(printf, 4, 5))) static void found(struct check *c, enum level level,
                                                        const char *what, const char *fmt, ...)
{
	static const char *const names[] = {"ok", "warning", "error"};
	va_list ap;

	fprintf(c->out, "%-8s %-12s ", names[level], what);
	va_start(ap, fmt);
	vfprintf(c->out, fmt, ap);
	va_end(ap);
	fputc('\n', c->out);
	c->errors += level == ERROR;
}

static void check_daemon(struct check *c)
{
	const struct inspection *v = c->v;

	if (*v->no_daemon)
		found(c, WARNING, "daemon", "%s; what breaks is not repaired", v->no_daemon);
	else if (*v->daemon.trouble)
		found(c, ERROR, "daemon", "%s", v->daemon.trouble);
	else if (v->daemon.failed_open)
		found(c, WARNING, "daemon", "it finds no real server up");
	else
		found(c, OK, "daemon", "lvscare %s answers and is healthy", v->daemon.version);
}

static void check_service(struct check *c)
{
	const struct rules_view *k = &c->v->rules;
	char name[ADDR_STR_MAX];
	size_t taking = 0;

	if (*c->v->no_rules) {
		found(c, ERROR, "kernel", "%s", c->v->no_rules);
		return;
	}
	found(c, OK, "kernel", "%s",
	      c->v->backend == BACKEND_NFT ? "nftables forwards" : "has IPVS");
	addr_str(&c->v->vs, name);
	for (size_t i = 0; i < k->n; i++)
		taking += k->dest[i].weight > 0;
	if (!k->vs.family)
		found(c, ERROR, "service",
		      "the kernel has no service %s (lvscare --run-once writes it)", name);
	else if (!taking)
		found(c, ERROR, "service", "none of the %zu real servers of %s takes connections",
		      k->n, name);
	else
		found(c, OK, "service",
		      "%s, scheduler %s: %zu of %zu real servers take connections", name,
		      k->scheduler, taking, k->n);
}

static void check_address(struct check *c, struct nlsock *s)
{
	char name[ADDR_STR_MAX], net[ADDR_STR_MAX];
	struct err err = {0};
	struct cidr network;
	bool own = false;

	addr_host(&c->v->vs, name);
	if (route_own_address(s, &c->v->vs, &own, &err) < 0 ||
	    route_network(s, &c->v->vs, &network, &err) < 0)
		found(c, ERROR, "address", "%s", err.msg);
	else if (own)
		found(c, ERROR, "address",
		      "%s is an address of this node: take one that no "
		      "interface has",
		      name);
	else if (network.addr.family)
		found(c, WARNING, "address", "%s lies in the network of the interface address %s",
		      name, cidr_str(&network, net));
	else
		found(c, OK, "address", "%s is in no interface's network", name);
}

static void check_route(struct check *c, struct nlsock *s)
{
	const struct route *r = &c->v->route;
	char name[ADDR_STR_MAX], src[ADDR_STR_MAX];
	struct err err = {0};
	bool own = false;

	addr_host(&c->v->vs, name);
	if (*c->v->no_route)
		found(c, ERROR, "route", "%s", c->v->no_route);
	else if (!r->dst.family)
		found(c, ERROR, "route",
		      "no route of lvscare's to %s (lvscare --run-once writes it)", name);
	else if (!r->src.family)
		found(c, ERROR, "route", "to %s without a source address", name);
	else if (route_own_address(s, &r->src, &own, &err) < 0)
		found(c, ERROR, "route", "%s", err.msg);
	else if (!own)
		found(c, ERROR, "route", "to %s from %s, which is no address of this node", name,
		      addr_host(&r->src, src));
	else
		found(c, OK, "route", "to %s from %s", name, addr_host(&r->src, src));
}

static void check_sysctl(struct check *c)
{
	static const char *const without[SYSCTL_SWITCHES] = {
	    "connections to a dead API server hang", "stateful firewalls may drop connections"};

	for (unsigned i = 0; c->v->backend != BACKEND_NFT && i < SYSCTL_SWITCHES; i++) {
		if (sysctl_on(SYSCTL_DIR, i))
			found(c, OK, "sysctl", "net.ipv4.vs.%s is 1", sysctl_name(i));
		else if (i == 0 && !*c->v->no_daemon && c->v->daemon.manages_expire)
			found(c, OK, "sysctl",
			      "net.ipv4.vs.%s is 0: the daemon sets it when it removes a server",
			      sysctl_name(i));
		else
			found(c, WARNING, "sysctl", "net.ipv4.vs.%s is not 1: %s", sysctl_name(i),
			      without[i]);
	}
}

static void check_connect(struct check *c)
{
	struct err err = {0};
	struct tls_trust *any = tls_trust_new(NULL, 0, &err);
	char name[ADDR_STR_MAX];
	struct dial d;

	if (!c->v->route.src.family) { /* it would leave for anywhere */
		found(c, WARNING, "connect", "not tried without the route");
		tls_trust_unref(any);
		return;
	}
	if (!any) {
		found(c, ERROR, "connect", "%s", err.msg);
		return;
	}
	dial(&c->v->vs, &c->v->vs, any, TIMEOUT_MS, &d);
	addr_str(&c->v->vs, name);
	if (d.secured)
		found(c, OK, "connect", "TCP and TLS through %s within %u ms", name, d.ms);
	else
		found(c, ERROR, "connect", "%s: %s", name, d.text);
	tls_trust_unref(any);
}

/* Each API server itself has to be good for the virtual address: clients see that name alone. */
static void check_certificate(struct check *c, const struct addr *rs, struct tls_trust *trust)
{
	char name[ADDR_STR_MAX], vip[ADDR_STR_MAX];
	struct dial d;

	dial(rs, &c->v->vs, trust, TIMEOUT_MS, &d);
	addr_str(rs, name);
	addr_host(&c->v->vs, vip);
	if (d.secured) {
		found(c, OK, "certificate", "%s: trusted, and valid for %s", name, vip);
		return;
	}
	if (!d.problems) {
		found(c, d.connected ? ERROR : WARNING, "certificate", "%s: %s", name, d.text);
		return;
	}
	if (d.problems & TLS_OTHER_ADDRESS)
		found(c, ERROR, "certificate",
		      "%s: %s is not among its addresses (kubeadm: apiServer.certSANs)", name, vip);
	if (d.problems & TLS_UNTRUSTED)
		found(c, ERROR, "certificate", "%s: not issued by the cluster's authority", name);
	if (d.problems & TLS_OTHER_PROBLEM)
		found(c, ERROR, "certificate", "%s: %s", name, d.text);
}

static void check_certificates(struct check *c, const char *ca_file)
{
	auto_strbuf pem = {0};
	struct tls_trust *trust = NULL;
	struct err err = {0};

	if (fs_read(ca_file, CA_FILE_MAX, &pem, &err) == 0) {
		trust = tls_trust_new(strbuf_str(&pem), pem.len, &err);
		if (!trust)
			err_wrap(&err, "%s", ca_file);
	}
	if (!trust) {
		found(c, WARNING, "certificate", "not looked at: %s", err.msg);
		return;
	}
	for (size_t i = 0; i < c->v->rules.n; i++)
		check_certificate(c, &c->v->rules.dest[i].addr, trust);
	tls_trust_unref(trust);
}

unsigned check_all(const struct inspection *v, const char *ca_file, FILE *out)
{
	struct check c = {.v = v, .out = out};
	struct err err = {0};
	struct nlsock s;

	check_daemon(&c);
	check_service(&c);
	check_sysctl(&c);
	if (nlsock_open(&s, NETLINK_ROUTE, &err) == 0) {
		check_address(&c, &s);
		check_route(&c, &s);
		nlsock_release(&s);
	} else {
		found(&c, ERROR, "route", "%s", err.msg);
	}
	if (tls_init(&err) < 0) {
		found(&c, ERROR, "connect", "%s", err.msg);
		return c.errors;
	}
	check_connect(&c);
	check_certificates(&c, ca_file);
	return c.errors;
}
