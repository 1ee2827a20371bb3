// SPDX-License-Identifier: Apache-2.0
#include "conntrack.h"

#include "nlsock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

/* What of a tuple is a filter: bits of the kernel's net/netfilter/nf_internals.h. */
#define FILTER_IP_DST   (1u << 1)
#define FILTER_PROTO    (1u << 3)
#define FILTER_PORT_DST (1u << 5)

static void begin(struct nlmsg *m, uint16_t type, int family, uint16_t flags)
{
	struct nfgenmsg fixed = {.nfgen_family = (uint8_t)family, .version = NFNETLINK_V0};

	nlmsg_begin(m, NFNL_SUBSYS_CTNETLINK << 8 | type, flags);
	nlmsg_fixed(m, &fixed, sizeof(fixed));
}

/* src NULL: any. */
static void put_tuple(struct nlmsg *m, uint16_t type, const struct addr *src,
                      const struct addr *dst)
{
	bool v6 = dst->family == AF_INET6;
	size_t tuple = nlmsg_nest(m, type), nest = nlmsg_nest(m, CTA_TUPLE_IP);
	uint8_t tcp = IPPROTO_TCP;

	if (src)
		nlmsg_put(m, v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, src->bytes, addr_len(src));
	nlmsg_put(m, v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, dst->bytes, addr_len(dst));
	nlmsg_end(m, nest);
	nest = nlmsg_nest(m, CTA_TUPLE_PROTO);
	nlmsg_put(m, CTA_PROTO_NUM, &tcp, sizeof(tcp));
	if (src)
		nlmsg_put_u16(m, CTA_PROTO_SRC_PORT, htons(src->port));
	nlmsg_put_u16(m, CTA_PROTO_DST_PORT, htons(dst->port));
	nlmsg_end(m, nest);
	nlmsg_end(m, tuple);
}

void conntrack_encode_list(struct nlmsg *m, const struct addr *vs)
{
	uint32_t filter = FILTER_PROTO | FILTER_PORT_DST;
	size_t nest;

	/* kernels (6.18 too) take IPv6 addresses that differ for those that match */
	if (vs->family == AF_INET)
		filter |= FILTER_IP_DST;
	begin(m, IPCTNL_MSG_CT_GET, vs->family, NLM_F_DUMP);
	put_tuple(m, CTA_TUPLE_ORIG, NULL, vs);
	nest = nlmsg_nest(m, CTA_FILTER);
	nlmsg_put_u32(m, CTA_FILTER_ORIG_FLAGS, filter);
	nlmsg_put_u32(m, CTA_FILTER_REPLY_FLAGS, 0);
	nlmsg_end(m, nest);
}

void conntrack_encode_forget(struct nlmsg *m, const struct flow *f)
{
	begin(m, IPCTNL_MSG_CT_DELETE, f->to.family, 0);
	put_tuple(m, CTA_TUPLE_ORIG, &f->client, &f->to);
	nlmsg_put_u32(m, CTA_ID, f->id);
}

static bool take_host(struct span a, struct addr *out)
{
	if (!a.p || a.len < addr_len(out))
		return false;
	memcpy(out->bytes, a.p, addr_len(out));
	return true;
}

static bool take_tuple(struct span tuple, int family, struct addr *src, struct addr *dst)
{
	struct span tb[CTA_TUPLE_MAX + 1], ip[CTA_IP_MAX + 1], proto[CTA_PROTO_MAX + 1];
	bool v6 = family == AF_INET6;

	*src = *dst = (struct addr){.family = family};
	attr_table(tuple, tb, CTA_TUPLE_MAX + 1);
	attr_table(tb[CTA_TUPLE_IP], ip, CTA_IP_MAX + 1);
	attr_table(tb[CTA_TUPLE_PROTO], proto, CTA_PROTO_MAX + 1);
	return proto[CTA_PROTO_NUM].p && proto[CTA_PROTO_NUM].len &&
	       *proto[CTA_PROTO_NUM].p == IPPROTO_TCP &&
	       take_host(ip[v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC], src) &&
	       take_host(ip[v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST], dst) &&
	       attr_be16(proto[CTA_PROTO_SRC_PORT], &src->port) &&
	       attr_be16(proto[CTA_PROTO_DST_PORT], &dst->port);
}

static bool is_established(struct span protoinfo)
{
	struct span tb[CTA_PROTOINFO_MAX + 1], tcp[CTA_PROTOINFO_TCP_MAX + 1], state;

	attr_table(protoinfo, tb, CTA_PROTOINFO_MAX + 1);
	attr_table(tb[CTA_PROTOINFO_TCP], tcp, CTA_PROTOINFO_TCP_MAX + 1);
	state = tcp[CTA_PROTOINFO_TCP_STATE];
	return state.p && state.len && *state.p == TCP_CONNTRACK_ESTABLISHED;
}

bool conntrack_decode(struct span body, struct flow *out)
{
	struct span tb[CTA_MAX + 1];
	struct nfgenmsg fixed;
	struct addr back;
	int family;

	*out = (struct flow){0};
	if (!span_take(&body, &fixed, sizeof(fixed)))
		return false;
	family = fixed.nfgen_family;
	if (family != AF_INET && family != AF_INET6)
		return false;
	attr_table(body, tb, CTA_MAX + 1);
	out->established = is_established(tb[CTA_PROTOINFO]);
	return attr_u32(tb[CTA_ID], &out->id) &&
	       take_tuple(tb[CTA_TUPLE_ORIG], family, &out->client, &out->to) &&
	       take_tuple(tb[CTA_TUPLE_REPLY], family, &out->server, &back);
}

struct search {
	const struct addr *vs;
	conntrack_fn *fn;
	void *ctx;
};

static void on_flow(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	const struct search *search = ctx;
	struct flow f;

	(void)hdr;
	if (conntrack_decode(body, &f) && addr_eq(&f.to, search->vs))
		search->fn(search->ctx, &f);
}

int conntrack_list(struct nlsock *s, const struct addr *vs, conntrack_fn *fn, void *ctx)
{
	struct search search = {.vs = vs, .fn = fn, .ctx = ctx};
	struct nlmsg m;
	int rc;

	conntrack_encode_list(&m, vs);
	rc = nlsock_ask(s, &m, on_flow, &search);
	return rc == -EINTR ? 0 : rc; /* what comes and goes meanwhile is new or gone */
}

int conntrack_forget(struct nlsock *s, const struct flow *f)
{
	struct nlmsg m;
	int rc;

	conntrack_encode_forget(&m, f);
	rc = nlsock_ask(s, &m, NULL, NULL);
	return rc == -ENOENT ? 0 : rc;
}
