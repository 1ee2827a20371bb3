// SPDX-License-Identifier: Apache-2.0
#include "guard.h"

#include "config.h"
#include "err.h"
#include "events.h"
#include "route.h"

#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define OTHERS_MAX 4     /* services of other lvscares on this node */
#define OTHERS_MS  30000 /* until services of others are looked for again */

int guard_open(struct guard *g, const struct config *conf, struct err *err)
{
	struct utsname kernel = {0};

	if (g->open && g->want == conf->backend)
		return 0;
	guard_close(g);
	g->conf = conf;
	g->want = conf->backend;
	g->backend = (struct backend){.last_kind = g->backend.last_kind};
	g->drop = (struct drop){.failed = g->drop.failed, .next_try = g->drop.next_try};
	g->drop_gone = false;
	if (nlsock_open(&g->routes, NETLINK_ROUTE, err) < 0)
		return -1;
	if (backend_open(&g->backend, g->want, err) < 0) {
		nlsock_release(&g->routes);
		return -1;
	}
	uname(&kernel);
	g->sysctl.hold_ms = sysctl_hold_ms(kernel.release);
	g->sysctl.dir = sysctl_dir(); /* once ip_vs is loaded */
	g->backend.ipvs.sysctl = &g->sysctl;
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

int guard_check_vs(struct guard *g, struct err *err)
{
	char name[ADDR_STR_MAX];
	bool own;

	if (route_own_address(&g->routes, &g->conf->vs, &own, err) < 0)
		return -1;
	if (own)
		return err_set_code(
		    err, EXIT_USAGE,
		    "--vs: %s is an address of this node; the virtual server needs one "
		    "that no interface has",
		    addr_host(&g->conf->vs, name));
	return 0;
}

int guard_check_node_ip(struct guard *g, struct err *err)
{
	char name[ADDR_STR_MAX];
	bool own;

	if (!g->conf->node_ip.family)
		return 0;
	if (route_own_address(&g->routes, &g->conf->node_ip, &own, err) < 0)
		return -1;
	if (!own)
		return err_set_code(err, EXIT_USAGE, "--node-ip: %s is not an address of this node",
		                    addr_host(&g->conf->node_ip, name));
	return 0;
}

void guard_watch_vs(struct guard *g, struct events *ev)
{
	struct err err = {0};
	char name[ADDR_STR_MAX];
	bool own;

	if (!g->open || route_own_address(&g->routes, &g->conf->vs, &own, &err) < 0)
		return;
	if (own && !g->own_address_logged)
		event(ev, LOG_LVL_WARN,
		      "%s is an address of this node now; the virtual server needs one that no "
		      "interface has",
		      addr_host(&g->conf->vs, name));
	else if (!own && g->own_address_logged)
		event(ev, LOG_LVL_INFO, "%s is no address of this node any more",
		      addr_host(&g->conf->vs, name));
	g->own_address_logged = own;
}

int guard_apply_rules(struct guard *g, const struct rules *rules, struct events *ev,
                      struct err *err)
{
	return backend_apply(&g->backend, rules, ev, err);
}

/* The source of connections to the virtual server: that towards the first real server with a way.
 * 0, or the errno of the first one without. */
static int find_source(struct guard *g, const struct rules *rules, struct addr *src)
{
	const struct config *c = g->conf;
	int first = 0;

	*src = c->node_ip;
	for (size_t i = 0; i < rules->n + c->n_rs && !src->family; i++) {
		bool in_rules = i < rules->n;
		int rc = route_source(&g->routes,
		                      in_rules ? &rules->dest[i].addr : &c->rs[i - rules->n], src);

		if (rc < 0 && !first)
			first = -rc;
	}
	return src->family ? 0 : first;
}

/* The same; no_way says what is wrong. */
static bool look_for_way(struct guard *g, const struct rules *rules, struct addr *src)
{
	char name[ADDR_STR_MAX];
	int rc = find_source(g, rules, src);

	g->no_way[0] = '\0';
	if (rc)
		snprintf(g->no_way, sizeof(g->no_way),
		         "no way to real server %s: %s; give this node's address by --node-ip",
		         addr_host(rules->n ? &rules->dest[0].addr : &g->conf->rs[0], name),
		         strerror(rc));
	return !rc;
}

int guard_check_way(struct guard *g, const struct rules *rules, struct err *err)
{
	struct addr src;

	return look_for_way(g, rules, &src) ? 0 : err_set(err, "%s", g->no_way);
}

/* Whether all services of IPVS are those of lvscare, which has a route of its own to each. */
static bool only_ours(struct guard *g)
{
	struct addr other[OTHERS_MAX];
	bool foreign;
	size_t n;

	if (ipvs_others(&g->backend.ipvs, &g->conf->vs, other, OTHERS_MAX, &n, &foreign) < 0)
		return false;
	for (size_t i = 0; i < n && !foreign; i++) {
		struct err err = {0};
		struct route r = {0};

		foreign = route_read(&g->routes, &other[i], &r, &err) < 0 || !r.dst.family;
	}
	return !foreign;
}

/* Connections may be kept where the drop rules are, and nobody else wants them reset. */
static void look_for_others(struct guard *g, uint64_t now)
{
	if (now < g->look_for_others)
		return;
	g->sysctl.may_be_quiet = !g->drop.failed && only_ours(g);
	/* kube-proxy's services may be thousands */
	g->look_for_others = g->sysctl.may_be_quiet ? now : now + OTHERS_MS;
}

/* What IPVS needs besides its rules; nftables needs none of it. */
static void apply_ipvs_needs(struct guard *g, struct events *ev)
{
	struct err err = {0};

	if (g->backend.kind == BACKEND_IPVS) {
		drop_apply(&g->drop, &g->conf->vs, ev);
		g->drop_gone = false;
		look_for_others(g, ev->now);
		sysctl_apply(&g->sysctl, ev);
	} else if (!g->drop_gone) {
		g->drop_gone = drop_remove(&g->drop, &g->conf->vs, ev, &err) == 0;
	}
}

int guard_apply_path(struct guard *g, const struct rules *rules, struct events *ev, struct err *err)
{
	struct addr src;

	apply_ipvs_needs(g, ev);
	if (!look_for_way(g, rules, &src))
		return 0;
	return route_apply(&g->routes, &g->conf->vs, &src, ev, err);
}

void guard_end(struct guard *g)
{
	if (g->sysctl.dir)
		sysctl_end(&g->sysctl);
}
