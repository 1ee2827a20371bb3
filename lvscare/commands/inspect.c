// SPDX-License-Identifier: Apache-2.0
#include "inspect.h"

#include "err.h"
#include "mem.h"
#include "strbuf.h"

#include <linux/netlink.h>
#include <stdio.h>

#define API_PORT 6443

/* The daemon of vs, or the first one; of the others their virtual servers are noted. */
static void find_daemon(struct inspection *v, const struct addr *vs, const struct addr *daemon,
                        unsigned spare)
{
	auto_free struct daemon_status *d = xcalloc(1, sizeof(*d));
	struct addr at = *daemon;
	bool found = false;
	char name[ADDR_STR_MAX], other[ADDR_STR_MAX];

	if (!daemon->port) {
		snprintf(v->no_daemon, sizeof(v->no_daemon), "not asked");
		return;
	}
	for (unsigned i = 0; i <= spare; i++, at.port++) {
		struct err err = {0};

		if (daemon_read(&at, d, &err) < 0) {
			if (i == 0)
				snprintf(v->no_daemon, sizeof(v->no_daemon), "%.250s", err.msg);
			continue;
		}
		if (!found && (!vs->family || addr_same_host(&d->vs, vs))) {
			v->daemon = *d;
			v->daemon_at = at;
			found = true;
		} else if (v->n_others < ARRAY_SIZE(v->others)) {
			v->others[v->n_others++] = d->vs;
		}
	}
	if (found)
		v->no_daemon[0] = '\0';
	else if (v->n_others)
		snprintf(v->no_daemon, sizeof(v->no_daemon), "the one at %s guards %s",
		         addr_str(daemon, name), addr_str(&v->others[0], other));
}

static void read_route(struct inspection *v, const struct addr *vs)
{
	struct nlsock s;
	struct err err = {0};

	if (nlsock_open(&s, NETLINK_ROUTE, &err) == 0) {
		route_read(&s, vs, &v->route, &err);
		nlsock_release(&s);
	}
	snprintf(v->no_route, sizeof(v->no_route), "%.500s", err.msg);
}

static void read_rules(struct inspection *v)
{
	struct err err = {0};

	backend_read(&v->vs, &v->rules, &v->backend, &err);
	snprintf(v->no_rules, sizeof(v->no_rules), "%.500s", err.msg);
}

int inspect(struct inspection *v, const struct addr *vs, const struct addr *daemon, unsigned spare,
            struct err *err)
{
	char a[ADDR_STR_MAX], b[ADDR_STR_MAX];

	*v = (struct inspection){0};
	find_daemon(v, vs, daemon, spare);
	v->vs = *vs;
	if (!vs->family && !*v->no_daemon)
		v->vs = v->daemon.vs;
	read_route(v, &v->vs);
	if (!v->vs.family)
		v->vs = v->route.dst;
	if (!v->vs.family)
		return err_set(err,
		               "daemon: %s; and there is no route of lvscare's (ip route show "
		               "table local proto 197)%s%s: which virtual server? (--vs)",
		               v->no_daemon, *v->no_route ? ": " : "", v->no_route);
	read_rules(v);
	if (!v->vs.port)
		v->vs.port = API_PORT;
	if (!*v->no_daemon && !addr_eq(&v->daemon.vs, &v->vs))
		snprintf(v->no_daemon, sizeof(v->no_daemon), "the one at %s guards %s",
		         addr_str(&v->daemon_at, a), addr_str(&v->daemon.vs, b));
	return 0;
}
