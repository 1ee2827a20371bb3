// SPDX-License-Identifier: Apache-2.0
#include "route.h"

#include "err.h"
#include "events.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#define LOOPBACK   1 /* lo has this index in every network namespace */
#define DUMP_TRIES 8
#define OURS_MAX   8

void route_encode(struct nlmsg *m, uint16_t type, uint16_t flags, const struct route *r)
{
	struct rtmsg rt = {.rtm_family = (unsigned char)r->dst.family,
	                   .rtm_dst_len = r->dst_len,
	                   .rtm_table = (unsigned char)r->table,
	                   .rtm_protocol = r->proto,
	                   .rtm_type = r->type};

	if (r->type == RTN_LOCAL)
		rt.rtm_scope = RT_SCOPE_HOST;
	nlmsg_begin(m, type, flags);
	nlmsg_fixed(m, &rt, sizeof(rt));
	if (r->dst_len)
		nlmsg_put(m, RTA_DST, r->dst.bytes, addr_len(&r->dst));
	if (r->src.family)
		nlmsg_put(m, RTA_PREFSRC, r->src.bytes, addr_len(&r->src));
	if (r->oif)
		nlmsg_put_u32(m, RTA_OIF, r->oif);
}

static bool get_addr(struct span a, int family, struct addr *out)
{
	*out = (struct addr){.family = family};
	if (!a.p || a.len < addr_len(out)) {
		out->family = 0;
		return false;
	}
	memcpy(out->bytes, a.p, addr_len(out));
	return true;
}

bool route_decode(struct span body, struct route *out)
{
	struct span tb[RTA_MAX + 1];
	struct rtmsg rt;

	*out = (struct route){0};
	if (!span_take(&body, &rt, sizeof(rt)) ||
	    (rt.rtm_family != AF_INET && rt.rtm_family != AF_INET6))
		return false;
	attr_table(body, tb, RTA_MAX + 1);
	get_addr(tb[RTA_DST], rt.rtm_family, &out->dst);
	get_addr(tb[RTA_PREFSRC], rt.rtm_family, &out->src);
	out->dst_len = rt.rtm_dst_len;
	out->type = rt.rtm_type;
	out->proto = rt.rtm_protocol;
	out->table = rt.rtm_table;
	attr_u32(tb[RTA_TABLE], &out->table);
	attr_u32(tb[RTA_OIF], &out->oif);
	return true;
}

bool route_decode_address(struct span body, struct cidr *out)
{
	struct span tb[IFA_LOCAL + 1];
	struct ifaddrmsg ifa;

	*out = (struct cidr){0};
	if (!span_take(&body, &ifa, sizeof(ifa)) ||
	    (ifa.ifa_family != AF_INET && ifa.ifa_family != AF_INET6))
		return false;
	attr_table(body, tb, IFA_LOCAL + 1);
	if (!get_addr(tb[IFA_LOCAL], ifa.ifa_family, &out->addr) &&
	    !get_addr(tb[IFA_ADDRESS], ifa.ifa_family, &out->addr))
		return false;
	out->bits = ifa.ifa_prefixlen;
	return out->bits <= addr_len(&out->addr) * 8;
}

static void on_source(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct route r;

	if (hdr->nlmsg_type == RTM_NEWROUTE && route_decode(body, &r))
		*(struct addr *)ctx = r.src;
}

int route_source(struct nlsock *s, const struct addr *dst, struct addr *src)
{
	struct route r = {.dst = *dst, .dst_len = (uint8_t)(addr_len(dst) * 8)};
	struct nlmsg m;
	int rc;

	*src = (struct addr){0};
	route_encode(&m, RTM_GETROUTE, 0, &r);
	rc = nlsock_ask(s, &m, on_source, src);
	if (rc < 0)
		return rc;
	return src->family ? 0 : -EADDRNOTAVAIL;
}

struct own_search {
	const struct addr *wanted;
	bool found;
	struct cidr network; /* one that holds it */
};

static void on_address(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct own_search *search = ctx;
	struct cidr a;

	if (hdr->nlmsg_type != RTM_NEWADDR || !route_decode_address(body, &a))
		return;
	search->found |= addr_same_host(&a.addr, search->wanted);
	if (cidr_contains(&a, search->wanted))
		search->network = a;
}

static int search_addresses(struct nlsock *s, const struct addr *a, struct own_search *search,
                            struct err *err)
{
	struct ifaddrmsg ifa = {.ifa_family = (unsigned char)a->family};
	char text[256];
	struct nlmsg m;
	int rc = -EINTR;

	*search = (struct own_search){.wanted = a};
	for (int i = 0; i < DUMP_TRIES && rc == -EINTR; i++) {
		nlmsg_begin(&m, RTM_GETADDR, NLM_F_DUMP);
		nlmsg_fixed(&m, &ifa, sizeof(ifa));
		rc = nlsock_ask(s, &m, on_address, search);
	}
	if (rc < 0)
		return err_set(err, "list this node's addresses: %s",
		               nlsock_strerror(s, rc, text, sizeof(text)));
	return 0;
}

int route_own_address(struct nlsock *s, const struct addr *a, bool *own, struct err *err)
{
	struct own_search search;
	int rc = search_addresses(s, a, &search, err);

	*own = search.found;
	return rc;
}

int route_network(struct nlsock *s, const struct addr *a, struct cidr *out, struct err *err)
{
	struct own_search search;
	int rc = search_addresses(s, a, &search, err);

	*out = search.network;
	return rc;
}

/* Our routes to the virtual address: normally none or one. */
struct ours {
	const struct addr *vip;
	bool any; /* to whatever address of this family */
	struct route route[OURS_MAX];
	size_t n;
};

static void on_route(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct ours *o = ctx;
	struct route r;

	if (hdr->nlmsg_type != RTM_NEWROUTE || !route_decode(body, &r))
		return;
	/* kernels before 4.20 send every table, whatever was asked for, and those without
	 * CONFIG_IPV6_MULTIPLE_TABLES keep local routes in the main one */
	if (r.table != RT_TABLE_LOCAL && (r.dst.family != AF_INET6 || r.table != RT_TABLE_MAIN))
		return;
	if (r.proto != ROUTE_PROTO || r.type != RTN_LOCAL || r.dst.family != o->vip->family ||
	    r.dst_len != addr_len(&r.dst) * 8 || (!o->any && !addr_same_host(&r.dst, o->vip)))
		return;
	if (o->n < OURS_MAX)
		o->route[o->n++] = r;
}

static int list_ours(struct nlsock *s, const struct addr *vip, bool any, struct ours *o,
                     struct err *err)
{
	struct route all = {
	    .dst = {.family = vip->family}, .table = RT_TABLE_LOCAL, .proto = ROUTE_PROTO};
	char text[256];
	struct nlmsg m;
	int rc = -EINTR;

	for (int i = 0; i < DUMP_TRIES && rc == -EINTR; i++) {
		*o = (struct ours){.vip = vip, .any = any};
		route_encode(&m, RTM_GETROUTE, NLM_F_DUMP, &all);
		nlmsg_put_u32(&m, RTA_TABLE, RT_TABLE_LOCAL);
		rc = nlsock_ask(s, &m, on_route, o);
	}
	if (rc < 0 && rc != -ENOENT) /* ENOENT: the table does not exist yet */
		return err_set(err, "list routes: %s", nlsock_strerror(s, rc, text, sizeof(text)));
	return 0;
}

static int get_ours(struct nlsock *s, const struct addr *vip, struct ours *o, struct err *err)
{
	return list_ours(s, vip, false, o, err);
}

int route_read(struct nlsock *s, const struct addr *vip, struct route *out, struct err *err)
{
	struct ours ours = {0};

	*out = (struct route){0};
	if (vip->family && get_ours(s, vip, &ours, err) < 0)
		return -1;
	if (!vip->family &&
	    (list_ours(s, &(struct addr){.family = AF_INET}, true, &ours, err) < 0 ||
	     (!ours.n && list_ours(s, &(struct addr){.family = AF_INET6}, true, &ours, err) < 0)))
		return -1;
	if (ours.n)
		*out = ours.route[0];
	return 0;
}

static int change(struct nlsock *s, uint16_t type, uint16_t flags, const struct route *r,
                  struct err *err)
{
	char vip[ADDR_STR_MAX], src[ADDR_STR_MAX], text[256];
	struct nlmsg m;
	int rc;

	route_encode(&m, type, flags, r);
	rc = nlsock_ask(s, &m, NULL, NULL);
	if (rc == 0 || (rc == -ESRCH && type == RTM_DELROUTE) ||
	    (rc == -EEXIST && type == RTM_NEWROUTE))
		return 0;
	addr_host(&r->dst, vip);
	addr_host(&r->src, src);
	if (rc == -EPERM)
		return err_set(err,
		               "route to %s: not permitted: run as root or give the process "
		               "CAP_NET_ADMIN",
		               vip);
	if (rc == -EINVAL && type == RTM_NEWROUTE)
		return err_set(err, "route to %s: source %s is not a usable address of this node",
		               vip, src);
	return err_set(err, "route to %s with source %s: %s", vip, src,
	               nlsock_strerror(s, rc, text, sizeof(text)));
}

static bool is_right(const struct route *r, const struct addr *src)
{
	return r->oif == LOOPBACK && addr_same_host(&r->src, src);
}

static int remove_wrong(struct nlsock *s, const struct ours *ours, const struct addr *src,
                        struct err *err)
{
	for (size_t i = 0; i < ours->n; i++)
		if (!is_right(&ours->route[i], src) &&
		    change(s, RTM_DELROUTE, 0, &ours->route[i], err) < 0)
			return -1;
	return 0;
}

int route_apply(struct nlsock *s, const struct addr *vip, const struct addr *src, struct events *ev,
                struct err *err)
{
	struct route want = {.dst = *vip,
	                     .src = *src,
	                     .dst_len = (uint8_t)(addr_len(vip) * 8),
	                     .type = RTN_LOCAL,
	                     .proto = ROUTE_PROTO,
	                     .table = RT_TABLE_LOCAL,
	                     .oif = LOOPBACK};
	char vip_name[ADDR_STR_MAX], src_name[ADDR_STR_MAX];
	struct ours ours;
	bool there = false;

	if (get_ours(s, vip, &ours, err) < 0)
		return -1;
	for (size_t i = 0; i < ours.n; i++)
		there |= is_right(&ours.route[i], src);
	/* IPv4 tells routes apart by their source: the new one first, so that there always is one.
	 * IPv6 does not, and only clears the source of a route when its address goes. */
	if (!there && vip->family == AF_INET6 && remove_wrong(s, &ours, src, err) < 0)
		return -1;
	if (!there && change(s, RTM_NEWROUTE, NLM_F_CREATE, &want, err) < 0)
		return -1;
	if (vip->family == AF_INET && remove_wrong(s, &ours, src, err) < 0)
		return -1;
	if (there)
		return 0;
	ev->changed[CHANGE_ROUTE]++;
	event(ev, LOG_LVL_INFO, "route to %s set, source %s", addr_host(vip, vip_name),
	      addr_host(src, src_name));
	return 0;
}

int route_remove(struct nlsock *s, const struct addr *vip, struct events *ev, struct err *err)
{
	char name[ADDR_STR_MAX];
	struct ours ours;

	if (get_ours(s, vip, &ours, err) < 0)
		return -1;
	for (size_t i = 0; i < ours.n; i++) {
		if (change(s, RTM_DELROUTE, 0, &ours.route[i], err) < 0)
			return -1;
		event(ev, LOG_LVL_INFO, "route to %s removed", addr_host(vip, name));
	}
	return 0;
}
