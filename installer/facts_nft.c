// SPDX-License-Identifier: Apache-2.0
/*
 * Chains and rules of nf_tables over NETLINK_NETFILTER (linux/netfilter/nf_tables.h). A rule is a
 * list of expressions: without one that compares, its verdict holds for every packet.
 */
#include "facts.h"
#include "facts_firewall.h"
#include "mem.h"
#include "net.h"
#include "strbuf.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ATTR_MAX   32
#define NAME_LEN   256
#define CHAINS_MAX 8192
#define WAIT_S     5

struct attr {
	const uint8_t *p;
	size_t len;
};

struct chain {
	uint8_t family;
	char table[NAME_LEN], name[NAME_LEN];
	uint32_t hook;
	bool drops, reported;
};

struct dump {
	struct firewall *f;
	struct chain *base; /* at input and forward */
	size_t n, seen;
};

/* tb[type] for each attribute of the bytes. */
static void parse(struct attr in, struct attr tb[static ATTR_MAX])
{
	memset(tb, 0, ATTR_MAX * sizeof(*tb));
	while (in.len >= NLA_HDRLEN) {
		struct nlattr a;
		size_t step, type;

		memcpy(&a, in.p, sizeof(a));
		type = a.nla_type & NLA_TYPE_MASK;
		if (a.nla_len < NLA_HDRLEN || a.nla_len > in.len)
			return;
		if (type < ATTR_MAX)
			tb[type] = (struct attr){in.p + NLA_HDRLEN, (size_t)a.nla_len - NLA_HDRLEN};
		step = NLA_ALIGN((size_t)a.nla_len);
		if (step > in.len)
			return;
		in.p += step;
		in.len -= step;
	}
}

static void text(struct attr a, char out[static NAME_LEN])
{
	size_t n = a.len < NAME_LEN ? a.len : NAME_LEN - 1;

	if (n)
		memcpy(out, a.p, n);
	out[n] = '\0';
}

static uint32_t number(struct attr a)
{
	uint32_t v = 0;

	if (a.len >= sizeof(v))
		memcpy(&v, a.p, sizeof(v));
	return be32toh(v);
}

static const char *family_name(uint8_t family)
{
	return family == NFPROTO_IPV4   ? "ip"
	       : family == NFPROTO_IPV6 ? "ip6"
	       : family == NFPROTO_INET ? "inet"
	                                : "";
}

static void report(struct dump *d, struct chain *c, const char *by)
{
	if (c->reported)
		return;
	c->reported = true;
	firewall_refusing(d->f, family_name(c->family), c->table, c->name,
	                  c->hook == NF_INET_FORWARD ? "forward" : "input", by, false);
}

/* ---- chains ---- */

static void take_chain(struct dump *d, uint8_t family, struct attr body)
{
	struct attr tb[ATTR_MAX], hook[ATTR_MAX];
	struct chain c = {.family = family};
	char type[NAME_LEN];

	parse(body, tb);
	text(tb[NFTA_CHAIN_TABLE], c.table);
	text(tb[NFTA_CHAIN_NAME], c.name);
	firewall_name(d->f, c.table);
	firewall_name(d->f, c.name);
	if (!tb[NFTA_CHAIN_HOOK].p || !*family_name(family) || d->n >= CHAINS_MAX)
		return;
	parse(tb[NFTA_CHAIN_HOOK], hook);
	text(tb[NFTA_CHAIN_TYPE], type);
	c.hook = number(hook[NFTA_HOOK_HOOKNUM]);
	if ((c.hook != NF_INET_LOCAL_IN && c.hook != NF_INET_FORWARD) ||
	    strcmp(type, "filter") != 0)
		return;
	c.drops = tb[NFTA_CHAIN_POLICY].p && number(tb[NFTA_CHAIN_POLICY]) == NF_DROP;
	d->base = xreallocarray(d->base, d->n + 1, sizeof(*d->base));
	d->base[d->n++] = c;
}

/* ---- rules ---- */

struct rule {
	bool conditional, refuses;
	bool address;            /* a source or destination was loaded last */
	uint8_t net[4], mask[4]; /* what it is compared with */
	struct cidr found[4];
	size_t n;
};

static void take_payload(struct rule *r, struct attr tb[static ATTR_MAX])
{
	uint32_t at = number(tb[NFTA_PAYLOAD_OFFSET]), len = number(tb[NFTA_PAYLOAD_LEN]);

	r->address = number(tb[NFTA_PAYLOAD_BASE]) == NFT_PAYLOAD_NETWORK_HEADER &&
	             (at == 12 || at == 16) && len >= 1 && len <= 4;
	memset(r->mask, 0, sizeof(r->mask));
	for (uint32_t i = 0; r->address && i < len; i++)
		r->mask[i] = 0xff;
}

static void take_mask(struct rule *r, struct attr tb[static ATTR_MAX])
{
	struct attr data[ATTR_MAX];

	parse(tb[NFTA_BITWISE_MASK], data);
	if (r->address && data[NFTA_DATA_VALUE].len == sizeof(r->mask))
		memcpy(r->mask, data[NFTA_DATA_VALUE].p, sizeof(r->mask));
}

static void take_compare(struct rule *r, struct attr tb[static ATTR_MAX])
{
	struct cidr c = {.addr.family = AF_INET};
	struct attr data[ATTR_MAX];
	uint32_t mask;

	r->conditional = true;
	parse(tb[NFTA_CMP_DATA], data);
	if (!r->address || number(tb[NFTA_CMP_OP]) != NFT_CMP_EQ || !data[NFTA_DATA_VALUE].len ||
	    data[NFTA_DATA_VALUE].len > 4 || r->n == ARRAY_SIZE(r->found))
		return;
	memcpy(c.addr.bytes, data[NFTA_DATA_VALUE].p, data[NFTA_DATA_VALUE].len);
	memcpy(&mask, r->mask, sizeof(mask));
	c.bits = (uint8_t)__builtin_popcount(mask);
	r->found[r->n++] = c;
	r->address = false;
}

static void take_verdict(struct rule *r, struct attr tb[static ATTR_MAX])
{
	struct attr data[ATTR_MAX], verdict[ATTR_MAX];

	parse(tb[NFTA_IMMEDIATE_DATA], data);
	if (!data[NFTA_DATA_VERDICT].p)
		return;
	parse(data[NFTA_DATA_VERDICT], verdict);
	r->refuses |= verdict[NFTA_VERDICT_CODE].p && number(verdict[NFTA_VERDICT_CODE]) == NF_DROP;
}

/* Expressions that neither compare nor end the rule. */
static bool harmless(const char *name)
{
	static const char *const names[] = {"counter", "log", "notrack", "ct", "meta"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void take_expression(struct rule *r, struct attr expr)
{
	struct attr tb[ATTR_MAX], data[ATTR_MAX];
	char name[NAME_LEN], target[NAME_LEN];

	parse(expr, tb);
	text(tb[NFTA_EXPR_NAME], name);
	parse(tb[NFTA_EXPR_DATA], data);
	if (strcmp(name, "payload") == 0) {
		take_payload(r, data);
	} else if (strcmp(name, "bitwise") == 0) {
		take_mask(r, data);
	} else if (strcmp(name, "cmp") == 0) {
		take_compare(r, data);
	} else if (strcmp(name, "immediate") == 0) {
		take_verdict(r, data);
	} else if (strcmp(name, "reject") == 0) {
		r->refuses = true;
	} else if (strcmp(name, "target") == 0) {
		text(data[NFTA_TARGET_NAME], target);
		r->refuses |= strcmp(target, "REJECT") == 0;
	} else if (!harmless(name)) {
		r->conditional = true;
	}
}

static struct rule read_rule(struct attr list)
{
	struct rule r = {0};

	while (list.len >= NLA_HDRLEN) {
		struct nlattr a;
		size_t step;

		memcpy(&a, list.p, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || a.nla_len > list.len)
			break;
		take_expression(&r, (struct attr){list.p + NLA_HDRLEN, a.nla_len - NLA_HDRLEN});
		step = NLA_ALIGN((size_t)a.nla_len);
		if (step > list.len)
			break;
		list.p += step;
		list.len -= step;
	}
	return r;
}

static void take_rule(struct dump *d, uint8_t family, struct attr body)
{
	struct attr tb[ATTR_MAX];
	char table[NAME_LEN], chain[NAME_LEN], net[ADDR_STR_MAX];
	struct rule r;

	parse(body, tb);
	text(tb[NFTA_RULE_TABLE], table);
	text(tb[NFTA_RULE_CHAIN], chain);
	r = read_rule(tb[NFTA_RULE_EXPRESSIONS]);
	for (size_t i = 0; !r.refuses && i < r.n; i++)
		facts_add(d->f->networks, cidr_str(&r.found[i], net));
	for (size_t i = 0; r.refuses && !r.conditional && i < d->n; i++)
		if (d->base[i].family == family && strcmp(d->base[i].table, table) == 0 &&
		    strcmp(d->base[i].name, chain) == 0)
			report(d, &d->base[i], "rule");
}

/* ---- netlink ---- */

static int request(int fd, uint8_t type)
{
	struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
	} m = {.h = {.nlmsg_len = sizeof(m),
	             .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | type,
	             .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	       .g = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0}};

	return send(fd, &m, sizeof(m), 0) == sizeof(m) ? 0 : -1;
}

/* One datagram of an answer: 1 when it was the last. */
static int take_messages(struct dump *d, const uint8_t *p, size_t n, uint8_t kind)
{
	while (n >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;
		size_t step, head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));

		memcpy(&h, p, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > n || h.nlmsg_type == NLMSG_DONE ||
		    h.nlmsg_type == NLMSG_ERROR)
			return 1;
		if ((h.nlmsg_type & 0xff) == kind && h.nlmsg_len >= head) {
			struct attr body = {p + head, h.nlmsg_len - head};
			uint8_t family = p[NLMSG_HDRLEN];

			if (kind == NFT_MSG_NEWCHAIN)
				take_chain(d, family, body);
			else
				take_rule(d, family, body);
		}
		step = NLMSG_ALIGN((size_t)h.nlmsg_len);
		if (step >= n)
			break;
		p += step;
		n -= step;
	}
	return 0;
}

static void dump(struct dump *d, int fd, uint8_t ask, uint8_t kind)
{
	const size_t cap = 1u << 16;
	auto_free uint8_t *buf = xmalloc(cap);

	if (request(fd, ask) < 0)
		return;
	for (;;) {
		ssize_t n = recv(fd, buf, cap, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || take_messages(d, buf, (size_t)n, kind))
			return;
	}
}

void firewall_nft(struct firewall *f)
{
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct dump d = {.f = f};
	struct timeval limit = {.tv_sec = WAIT_S};

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	dump(&d, fd, NFT_MSG_GETCHAIN, NFT_MSG_NEWCHAIN);
	if (d.n)
		dump(&d, fd, NFT_MSG_GETRULE, NFT_MSG_NEWRULE);
	for (size_t i = 0; i < d.n; i++)
		if (d.base[i].drops)
			report(&d, &d.base[i], "policy");
	free(d.base);
}
