// SPDX-License-Identifier: Apache-2.0
#include "once.h"

#include "config.h"
#include "discover/masters.h"
#include "err.h"
#include "kernel/guard.h"
#include "kernel/route.h"
#include "order.h"

#include <linux/netlink.h>

static void fill_rules(const struct config *c, struct events *ev, struct rules *rules)
{
	struct masters masters;
	struct addrs rs;

	masters_init(&masters, &c->vs, c->rs, c->n_rs);
	masters_start(&masters, c->state_file, c->ca_file, ev);
	masters_untried(&masters, &rs);
	order_here(rs.a, rs.n);
	*rules = (struct rules){.vs = c->vs, .scheduler = c->scheduler};
	for (; rules->n < rs.n; rules->n++)
		rules->dest[rules->n] = (struct rules_dest){.addr = rs.a[rules->n], .weight = 1};
}

static int write_all(struct guard *g, const struct rules *rules, struct events *ev, struct err *err)
{
	if (guard_check_vs(g, err) < 0 || guard_check_node_ip(g, err) < 0 ||
	    guard_check_way(g, rules, err) < 0)
		return -1;
	if (guard_apply_rules(g, rules, ev, err) < 0)
		return -1;
	return guard_apply_path(g, rules, ev, err);
}

int once_write(const struct config *c, struct events *ev, struct err *err)
{
	struct guard g = {0};
	struct rules rules;
	int rc = guard_open(&g, c, err);

	if (rc == 0) {
		fill_rules(c, ev, &rules);
		rc = write_all(&g, &rules, ev, err);
	}
	guard_close(&g);
	return rc;
}

int once_clean(const struct config *c, struct events *ev, struct err *err)
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
