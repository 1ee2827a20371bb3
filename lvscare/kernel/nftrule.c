// SPDX-License-Identifier: Apache-2.0
#include "nftrule.h"

#include "mem.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <netinet/tcp.h>
#include <string.h>

#define SEED      1 /* of the hash: the same on all nodes */
#define FIELDS    6
#define EXPRS_MAX 10

/* linux/netfilter/nf_nat.h: what a rule that gives address and port has; older kernels do not tell
 */
#define NAT_FLAGS_OWN 3u

/* What there is in a rule: written, and compared with what the kernel tells. */
enum field_kind {
	NUMBER,  /* 32 bits in network order */
	DATA,    /* bytes within another attribute */
	NAME,    /* a string */
	BYTE,    /* 8 bits */
	VERDICT, /* what becomes of the packet, NF_* */
	NOTHING, /* never written; in an answer none of the bits outside of the mask is set */
};

struct field {
	uint16_t type;
	enum field_kind kind;
	uint32_t number; /* or the mask */
	const void *data;
	size_t len;
};

struct expr {
	const char *name;
	struct field field[FIELDS];
	size_t n;
};

struct exprs {
	struct expr e[EXPRS_MAX];
	size_t n;
	uint16_t port; /* in network order; fields point to it and to protocol */
	uint8_t protocol;
	uint8_t flags_mask, flags_none, flags_syn; /* of TCP */
	uint8_t reply;                             /* the direction */
};

static void add(struct exprs *x, const char *name)
{
	x->e[x->n++] = (struct expr){.name = name};
}

static void field(struct exprs *x, struct field f)
{
	struct expr *e = &x->e[x->n - 1];

	e->field[e->n++] = f;
}

static void number(struct exprs *x, uint16_t type, uint32_t v)
{
	field(x, (struct field){.type = type, .kind = NUMBER, .number = v});
}

static void payload(struct exprs *x, uint32_t base, uint32_t offset, size_t len)
{
	add(x, "payload");
	number(x, NFTA_PAYLOAD_DREG, NFT_REG_1);
	number(x, NFTA_PAYLOAD_BASE, base);
	number(x, NFTA_PAYLOAD_OFFSET, offset);
	number(x, NFTA_PAYLOAD_LEN, (uint32_t)len);
}

static void compare(struct exprs *x, enum nft_cmp_ops op, const void *data, size_t len)
{
	add(x, "cmp");
	number(x, NFTA_CMP_SREG, NFT_REG_1);
	number(x, NFTA_CMP_OP, op);
	field(x, (struct field){.type = NFTA_CMP_DATA, .kind = DATA, .data = data, .len = len});
}

static void equals(struct exprs *x, const void *data, size_t len)
{
	compare(x, NFT_CMP_EQ, data, len);
}

static void choose_slot(struct exprs *x, const struct nftplan *p)
{
	size_t len = addr_len(&p->vs);

	if (p->by_source) {
		payload(x, NFT_PAYLOAD_NETWORK_HEADER, p->vs.family == AF_INET6 ? 8 : 12, len);
		add(x, "hash");
		number(x, NFTA_HASH_SREG, NFT_REG_1);
		number(x, NFTA_HASH_DREG, NFT_REG_1);
		number(x, NFTA_HASH_LEN, (uint32_t)len);
		number(x, NFTA_HASH_MODULUS, (uint32_t)p->n_slots);
		number(x, NFTA_HASH_SEED, SEED);
		field(x, (struct field){.type = NFTA_HASH_OFFSET, .kind = NOTHING});
		return;
	}
	add(x, "numgen");
	number(x, NFTA_NG_DREG, NFT_REG_1);
	number(x, NFTA_NG_MODULUS, (uint32_t)p->n_slots);
	number(x, NFTA_NG_TYPE, NFT_NG_INCREMENTAL);
	field(x, (struct field){.type = NFTA_NG_OFFSET, .kind = NOTHING});
}

/* Only packets to the virtual server pass. */
static void match_virtual_server(struct exprs *x, const struct addr *vs)
{
	*x = (struct exprs){.port = htons(vs->port), .protocol = IPPROTO_TCP};
	payload(x, NFT_PAYLOAD_NETWORK_HEADER, vs->family == AF_INET6 ? 24 : 16, addr_len(vs));
	equals(x, vs->bytes, addr_len(vs));
	add(x, "meta");
	number(x, NFTA_META_DREG, NFT_REG_1);
	number(x, NFTA_META_KEY, NFT_META_L4PROTO);
	equals(x, &x->protocol, sizeof(x->protocol));
	payload(x, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(x->port));
	equals(x, &x->port, sizeof(x->port));
}

/* tcp flags & (fin | syn | rst | ack) == syn */
static void match_first_packet(struct exprs *x)
{
	x->flags_mask = TH_FIN | TH_SYN | TH_RST | TH_ACK;
	x->flags_syn = TH_SYN;
	payload(x, NFT_PAYLOAD_TRANSPORT_HEADER, 13, sizeof(x->flags_syn));
	add(x, "bitwise");
	number(x, NFTA_BITWISE_SREG, NFT_REG_1);
	number(x, NFTA_BITWISE_DREG, NFT_REG_1);
	number(x, NFTA_BITWISE_LEN, sizeof(x->flags_mask));
	field(x, (struct field){
		     .type = NFTA_BITWISE_MASK, .kind = DATA, .data = &x->flags_mask, .len = 1});
	field(x, (struct field){
		     .type = NFTA_BITWISE_XOR, .kind = DATA, .data = &x->flags_none, .len = 1});
	equals(x, &x->flags_syn, sizeof(x->flags_syn));
}

/* One of NFT_CT_*, of a direction of the connection, or of the packet where that is -1. */
static void ct(struct exprs *x, uint32_t key, int direction)
{
	add(x, "ct");
	number(x, NFTA_CT_DREG, NFT_REG_1);
	number(x, NFTA_CT_KEY, key);
	if (direction >= 0)
		field(x, (struct field){.type = NFTA_CT_DIRECTION,
		                        .kind = BYTE,
		                        .number = (uint32_t)direction});
}

/* To the virtual address, although ct reply saddr is another one: that of a real server. */
static void match_bound(struct exprs *x, const struct addr *vs)
{
	match_virtual_server(x, vs);
	ct(x, NFT_CT_SRC, IP_CT_DIR_REPLY);
	compare(x, NFT_CMP_NEQ, vs->bytes, addr_len(vs));
}

/* ct direction reply, ct original daddr and proto-dst are the virtual server, the source is not */
static void match_reply(struct exprs *x, const struct addr *vs)
{
	*x = (struct exprs){.port = htons(vs->port), .reply = IP_CT_DIR_REPLY};
	ct(x, NFT_CT_DIRECTION, -1);
	equals(x, &x->reply, sizeof(x->reply));
	ct(x, NFT_CT_DST, IP_CT_DIR_ORIGINAL);
	equals(x, vs->bytes, addr_len(vs));
	ct(x, NFT_CT_PROTO_DST, IP_CT_DIR_ORIGINAL);
	equals(x, &x->port, sizeof(x->port));
	payload(x, NFT_PAYLOAD_NETWORK_HEADER, vs->family == AF_INET6 ? 8 : 12, addr_len(vs));
	compare(x, NFT_CMP_NEQ, vs->bytes, addr_len(vs));
}

static void drop_make(struct exprs *x, const struct nftplan *p, enum nft_drop which)
{
	if (which == NFT_DROP_REPLY) {
		match_reply(x, &p->vs);
	} else if (which == NFT_DROP_BOUND) {
		match_bound(x, &p->vs);
	} else {
		match_virtual_server(x, &p->vs);
		match_first_packet(x);
	}
	add(x, "immediate");
	number(x, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	field(x, (struct field){.type = NFTA_IMMEDIATE_DATA, .kind = VERDICT, .number = NF_DROP});
}

static void dnat_make(struct exprs *x, const struct nftplan *p, const char *map)
{
	bool v6 = p->vs.family == AF_INET6;

	match_virtual_server(x, &p->vs);
	choose_slot(x, p);
	add(x, "lookup");
	field(x, (struct field){.type = NFTA_LOOKUP_SET, .kind = NAME, .data = map});
	number(x, NFTA_LOOKUP_SREG, NFT_REG_1);
	number(x, NFTA_LOOKUP_DREG, NFT_REG_1);
	field(x, (struct field){.type = NFTA_LOOKUP_FLAGS, .kind = NOTHING});
	add(x, "nat");
	number(x, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	number(x, NFTA_NAT_FAMILY, nftrule_family(p->vs.family));
	number(x, NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
	/* behind the address: an IPv4 one leaves three quarters of the register to others */
	number(x, NFTA_NAT_REG_PROTO_MIN, v6 ? NFT_REG_2 : NFT_REG32_01);
	field(x, (struct field){.type = NFTA_NAT_FLAGS, .kind = NOTHING, .number = NAT_FLAGS_OWN});
}

static void put_field(struct nlmsg *m, const struct field *f)
{
	uint8_t byte = (uint8_t)f->number;
	size_t nest;

	if (f->kind == NUMBER)
		nlmsg_put_be32(m, f->type, f->number);
	if (f->kind == NAME)
		nlmsg_put_str(m, f->type, f->data);
	if (f->kind == BYTE)
		nlmsg_put(m, f->type, &byte, sizeof(byte));
	if (f->kind != DATA && f->kind != VERDICT)
		return;
	nest = nlmsg_nest(m, f->type);
	if (f->kind == DATA) {
		nlmsg_put(m, NFTA_DATA_VALUE, f->data, f->len);
	} else {
		size_t verdict = nlmsg_nest(m, NFTA_DATA_VERDICT);

		nlmsg_put_be32(m, NFTA_VERDICT_CODE, f->number);
		nlmsg_end(m, verdict);
	}
	nlmsg_end(m, nest);
}

static void put_exprs(struct nlmsg *m, const struct exprs *x)
{
	size_t list = nlmsg_nest(m, NFTA_RULE_EXPRESSIONS);

	for (size_t i = 0; i < x->n; i++) {
		size_t elem = nlmsg_nest(m, NFTA_LIST_ELEM), data;

		nlmsg_put_str(m, NFTA_EXPR_NAME, x->e[i].name);
		data = nlmsg_nest(m, NFTA_EXPR_DATA);
		for (size_t j = 0; j < x->e[i].n; j++)
			put_field(m, &x->e[i].field[j]);
		nlmsg_end(m, data);
		nlmsg_end(m, elem);
	}
	nlmsg_end(m, list);
}

void nftrule_put(struct nlmsg *m, const struct nftplan *p, const char *map)
{
	struct exprs x;

	dnat_make(&x, p, map);
	put_exprs(m, &x);
}

void nftrule_put_drop(struct nlmsg *m, const struct nftplan *p, enum nft_drop which)
{
	struct exprs x;

	drop_make(&x, p, which);
	put_exprs(m, &x);
}

static bool is_verdict(struct span a, uint32_t code)
{
	struct span data[NFTA_DATA_MAX + 1], verdict[NFTA_VERDICT_MAX + 1];

	attr_table(a, data, NFTA_DATA_MAX + 1);
	attr_table(data[NFTA_DATA_VERDICT], verdict, NFTA_VERDICT_MAX + 1);
	return attr_is_be32(verdict[NFTA_VERDICT_CODE], code);
}

static bool is_field(struct span a, const struct field *f)
{
	struct span tb[NFTA_DATA_MAX + 1];
	uint32_t n = 0;

	if (f->kind == NUMBER)
		return attr_is_be32(a, f->number);
	if (f->kind == NAME)
		return attr_is_str(a, f->data);
	if (f->kind == BYTE)
		return a.p && a.len && *a.p == f->number;
	if (f->kind == VERDICT)
		return is_verdict(a, f->number);
	if (f->kind == NOTHING)
		return !a.p || (attr_u32(a, &n) && !(ntohl(n) & ~f->number));
	attr_table(a, tb, NFTA_DATA_MAX + 1);
	a = tb[NFTA_DATA_VALUE];
	return a.p && a.len == f->len && memcmp(a.p, f->data, f->len) == 0;
}

static bool is_expr(struct span elem, const struct expr *e)
{
	struct span tb[NFTA_EXPR_MAX + 1], data[16];

	attr_table(elem, tb, NFTA_EXPR_MAX + 1);
	if (!attr_is_str(tb[NFTA_EXPR_NAME], e->name))
		return false;
	attr_table(tb[NFTA_EXPR_DATA], data, ARRAY_SIZE(data));
	for (size_t i = 0; i < e->n; i++)
		if (!is_field(data[e->field[i].type], &e->field[i]))
			return false;
	return true;
}

static bool are_exprs(struct span list, const struct exprs *x)
{
	struct span elem;
	uint16_t type;
	size_t n = 0;

	while (attr_next(&list, &type, &elem))
		if (n == x->n || type != NFTA_LIST_ELEM || !is_expr(elem, &x->e[n++]))
			return false;
	return n == x->n;
}

bool nftrule_is(struct span list, const struct nftplan *p, const char *map)
{
	struct exprs x;

	dnat_make(&x, p, map);
	return are_exprs(list, &x);
}

bool nftrule_is_drop(struct span list, const struct nftplan *p, enum nft_drop which)
{
	struct exprs x;

	drop_make(&x, p, which);
	return are_exprs(list, &x);
}

uint8_t nftrule_family(int family)
{
	return family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
}
