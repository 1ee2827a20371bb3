// SPDX-License-Identifier: Apache-2.0
#include "guard.h"

#include "config.h"
#include "err.h"
#include "order.h"
#include "route.h"

#include <linux/netlink.h>
#include <string.h>

int guard_open(struct guard *g, const struct config *conf, struct err *err)
{
	if (g->open && g->want == conf->backend)
		return 0;
	guard_close(g);
	*g = (struct guard){.conf = conf,
	                    .want = conf->backend,
	                    .backend.told = g->backend.told,
	                    .sysctl = g->sysctl,
	                    .drop = {.failed = g->drop.failed, .next_try = g->drop.next_try}};
	if (!g->sysctl.dir)
		g->sysctl.dir = SYSCTL_DIR;
	if (nlsock_open(&g->routes, NETLINK_ROUTE, err) < 0)
		return -1;
	if (backend_open(&g->backend, g->want, err) < 0) {
		nlsock_release(&g->routes);
		return -1;
	}
	g->open = true;
	return 0;
}

void guard_close(struct guard *g)
{
	if (!g->open)
		return;
	backend_release(&g->backend);
	drop_release(&g->drop);
	nlsock_release(&g->routes);
	g->open = false;
}

int guard_check(struct guard *g, struct err *err)
{
	const struct config *c = g->conf;
	char name[ADDR_STR_MAX];
	bool own;

	if (route_own_address(&g->routes, &c->vs, &own, err) < 0)
		return -1;
	if (own)
		return err_set_code(
		    err, EXIT_USAGE,
		    "--vs: %s is an address of this node; the virtual server needs one "
		    "that no interface has",
		    addr_host(&c->vs, name));
	if (!c->node_ip.family)
		return 0;
	if (route_own_address(&g->routes, &c->node_ip, &own, err) < 0)
		return -1;
	if (!own)
		return err_set_code(err, EXIT_USAGE, "--node-ip: %s is not an address of this node",
		                    addr_host(&c->node_ip, name));
	return 0;
}

int guard_apply_rules(struct guard *g, const struct rules *rules, struct events *ev,
                      struct err *err)
{
	return backend_apply(&g->backend, rules, ev, err);
}

/* The source of connections to the virtual server: that towards the first real server with a way.
 */
static int find_source(struct guard *g, struct addr *src, struct err *err)
{
	const struct config *c = g->conf;
	char name[ADDR_STR_MAX];
	int first = 0;

	*src = c->node_ip;
	if (src->family)
		return 0;
	for (size_t i = 0; i < c->n_rs; i++) {
		int rc = route_source(&g->routes, &c->rs[i], src);

		if (rc == 0)
			return 0;
		if (!first)
			first = rc;
	}
	return err_set(err, "no way to real server %s: %s; give this node's address by --node-ip",
	               addr_host(&c->rs[0], name), strerror(-first));
}

/* What IPVS needs besides its rules; nftables needs none of it. */
static void apply_ipvs_needs(struct guard *g, struct events *ev)
{
	struct err err = {0};

	if (g->backend.kind == BACKEND_IPVS) {
		sysctl_apply(&g->sysctl, ev);
		drop_apply(&g->drop, &g->conf->vs, ev);
		g->drop_gone = false;
	} else if (!g->drop_gone) {
		g->drop_gone = drop_remove(&g->drop, &g->conf->vs, ev, &err) == 0;
	}
}

int guard_apply_path(struct guard *g, struct events *ev, struct err *err)
{
	struct addr src;

	apply_ipvs_needs(g, ev);
	if (find_source(g, &src, err) < 0)
		return -1;
	return route_apply(&g->routes, &g->conf->vs, &src, ev, err);
}

static int write_once(struct guard *g, struct events *ev, struct err *err)
{
	const struct config *c = g->conf;
	struct rules rules = {.vs = c->vs, .scheduler = c->scheduler};
	struct masters masters;
	struct addrs rs;
	struct addr src;

	masters_start(&masters, c, ev);
	masters_wanted(&masters, &rs, &(size_t){0});
	order_here(rs.a, rs.n);
	for (rules.n = 0; rules.n < rs.n; rules.n++)
		rules.dest[rules.n] = (struct rules_dest){.addr = rs.a[rules.n], .weight = 1};
	/* what can fail without a change comes first */
	if (guard_check(g, err) < 0 || find_source(g, &src, err) < 0)
		return -1;
	if (guard_apply_rules(g, &rules, ev, err) < 0)
		return -1;
	return guard_apply_path(g, ev, err);
}

int guard_run_once(const struct config *c, struct events *ev, struct err *err)
{
	struct guard g = {0};
	int rc = guard_open(&g, c, err);

	if (rc == 0)
		rc = write_once(&g, ev, err);
	guard_close(&g);
	return rc;
}

int guard_clean(const struct config *c, struct events *ev, struct err *err)
{
	struct drop drop = {0};
	struct nlsock routes;
	int rc;

	if (backend_remove(&c->vs, ev, err) < 0)
		return -1;
	rc = drop_remove(&drop, &c->vs, ev, err);
	drop_release(&drop);
	if (rc < 0 || nlsock_open(&routes, NETLINK_ROUTE, err) < 0)
		return -1;
	rc = route_remove(&routes, &c->vs, ev, err);
	nlsock_release(&routes);
	if (rc == 0 && c->state_file)
		rc = masters_forget(&c->vs, c->state_file, err);
	return rc;
}
