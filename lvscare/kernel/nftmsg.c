// SPDX-License-Identifier: Apache-2.0
#include "nftmsg.h"

#include "nftrule.h"
#include "strbuf.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define PER_PART 12 /* elements of one message */

/* What nft(8) calls these types; the kernel only keeps the numbers for it. */
#define TYPE_INTEGER 4
#define TYPE_IPV4    7
#define TYPE_IPV6    8
#define TYPE_SERVICE 13
#define PAIR(a, b)   ((a) << 6 | (b))

static const struct {
	const char *name, *type;
	uint32_t hook;
	int32_t priority;
} chains[] = {
    /* where destinations are changed (NF_IP_PRI_NAT_DST) */
    [NFT_OUTPUT] = {"output", "nat", NF_INET_LOCAL_OUT, -100},
    [NFT_PREROUTING] = {"prerouting", "nat", NF_INET_PRE_ROUTING, -100},
    /* behind IPVS, which takes its packets there at 98 and 99 (NF_IP_PRI_NAT_SRC - 2 and - 1) */
    [NFT_INPUT] = {"input", "filter", NF_INET_LOCAL_IN, 110},
    [NFT_FORWARD] = {"forward", "filter", NF_INET_FORWARD, 110},
};

static const char *set_name(enum nft_set set)
{
	static const char *const names[NFT_SETS] = {"__map0", "__map1", "drained"};

	return names[set];
}

/* Of the map that a chain's rule uses. */
static const char *map_of(enum nft_chain chain)
{
	return set_name(chain == NFT_OUTPUT ? NFT_SLOTS_OUTPUT : NFT_SLOTS_PREROUTING);
}

/* ---- transactions */

static void begin(struct nlmsg *m, uint16_t type, int family, uint16_t flags)
{
	struct nfgenmsg fixed = {.nfgen_family = nftrule_family(family), .version = NFNETLINK_V0};

	nlmsg_begin(m, NFNL_SUBSYS_NFTABLES << 8 | type, flags);
	nlmsg_fixed(m, &fixed, sizeof(fixed));
}

static void append(struct strbuf *out, const struct nlmsg *m)
{
	strbuf_add(out, m->data, m->len);
}

static void batch(struct strbuf *out, uint16_t type, uint32_t generation)
{
	struct nfgenmsg fixed = {.version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
	struct nlmsg m;

	nlmsg_begin(&m, type, NLM_F_REQUEST);
	nlmsg_fixed(&m, &fixed, sizeof(fixed));
	if (type == NFNL_MSG_BATCH_BEGIN)
		nlmsg_put_be32(&m, NFNL_BATCH_GENID, generation);
	append(out, &m);
}

static void add_table(struct strbuf *out, uint16_t type, int family, const char *table,
                      uint16_t flags)
{
	struct nlmsg m;

	begin(&m, type, family, flags | NLM_F_REQUEST);
	nlmsg_put_str(&m, NFTA_TABLE_NAME, table);
	append(out, &m);
}

static void add_chain(struct strbuf *out, const struct nftplan *p, enum nft_chain chain)
{
	struct nlmsg m;
	size_t nest;

	begin(&m, NFT_MSG_NEWCHAIN, p->vs.family, NLM_F_REQUEST | NLM_F_CREATE);
	nlmsg_put_str(&m, NFTA_CHAIN_TABLE, p->table);
	nlmsg_put_str(&m, NFTA_CHAIN_NAME, chains[chain].name);
	nest = nlmsg_nest(&m, NFTA_CHAIN_HOOK);
	nlmsg_put_be32(&m, NFTA_HOOK_HOOKNUM, chains[chain].hook);
	nlmsg_put_be32(&m, NFTA_HOOK_PRIORITY, (uint32_t)chains[chain].priority);
	nlmsg_end(&m, nest);
	nlmsg_put_str(&m, NFTA_CHAIN_TYPE, chains[chain].type);
	append(out, &m);
}

static void begin_rule(struct nlmsg *m, const struct nftplan *p, enum nft_chain chain)
{
	begin(m, NFT_MSG_NEWRULE, p->vs.family, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND);
	nlmsg_put_str(m, NFTA_RULE_TABLE, p->table);
	nlmsg_put_str(m, NFTA_RULE_CHAIN, chains[chain].name);
}

static void add_rule(struct strbuf *out, const struct nftplan *p, enum nft_chain chain)
{
	struct nlmsg m;

	begin_rule(&m, p, chain);
	nftrule_put(&m, p, map_of(chain));
	append(out, &m);
}

static uint32_t set_flags(enum nft_set set)
{
	return set == NFT_DRAINED ? NFT_SET_CONSTANT
	                          : NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_MAP;
}

/* An address and a port, as sets hold them: in whole registers. */
static size_t pair_len(const struct nftplan *p)
{
	return addr_len(&p->vs) + 4;
}

static void add_set(struct strbuf *out, const struct nftplan *p, enum nft_set set)
{
	bool drained = set == NFT_DRAINED;
	/* for nft(8): keys in the host's order (NFTNL_UDATA_SET_KEYBYTEORDER, 4 bytes, 1) */
	static const uint8_t byte_order[] = {0, 4, 1, 0, 0, 0};
	uint32_t pair = PAIR(p->vs.family == AF_INET6 ? TYPE_IPV6 : TYPE_IPV4, TYPE_SERVICE);
	uint32_t len = (uint32_t)pair_len(p);
	struct nlmsg m;

	begin(&m, NFT_MSG_NEWSET, p->vs.family, NLM_F_REQUEST | NLM_F_CREATE);
	nlmsg_put_str(&m, NFTA_SET_TABLE, p->table);
	nlmsg_put_str(&m, NFTA_SET_NAME, set_name(set));
	nlmsg_put_be32(&m, NFTA_SET_FLAGS, set_flags(set));
	nlmsg_put_be32(&m, NFTA_SET_KEY_TYPE, drained ? pair : TYPE_INTEGER);
	nlmsg_put_be32(&m, NFTA_SET_KEY_LEN, drained ? len : sizeof(uint32_t));
	if (!drained) {
		nlmsg_put_be32(&m, NFTA_SET_DATA_TYPE, pair);
		nlmsg_put_be32(&m, NFTA_SET_DATA_LEN, len);
		nlmsg_put(&m, NFTA_SET_USERDATA, byte_order, sizeof(byte_order));
	}
	nlmsg_put_be32(&m, NFTA_SET_ID, set + 1u);
	append(out, &m);
}

static void put_data(struct nlmsg *m, uint16_t type, const void *data, size_t len)
{
	size_t nest = nlmsg_nest(m, type);

	nlmsg_put(m, NFTA_DATA_VALUE, data, len);
	nlmsg_end(m, nest);
}

static void put_element(struct nlmsg *m, const struct addr *a, bool drained, size_t i)
{
	size_t elem = nlmsg_nest(m, NFTA_LIST_ELEM), len = addr_len(a);
	uint8_t pair[20] = {0};
	uint16_t port = htons(a->port);
	uint32_t key = (uint32_t)i;

	memcpy(pair, a->bytes, len);
	memcpy(pair + len, &port, sizeof(port));
	if (!drained)
		put_data(m, NFTA_SET_ELEM_KEY, &key, sizeof(key));
	put_data(m, drained ? NFTA_SET_ELEM_KEY : NFTA_SET_ELEM_DATA, pair, len + 4);
	nlmsg_end(m, elem);
}

static void add_elements(struct strbuf *out, const struct nftplan *p, enum nft_set set)
{
	bool drained = set == NFT_DRAINED;
	const struct addr *list = drained ? p->drained : p->slot;
	size_t n = drained ? p->n_drained : p->n_slots;

	for (size_t i = 0; i < n;) {
		struct nlmsg m;
		size_t nest;

		begin(&m, NFT_MSG_NEWSETELEM, p->vs.family, NLM_F_REQUEST | NLM_F_CREATE);
		nlmsg_put_str(&m, NFTA_SET_ELEM_LIST_TABLE, p->table);
		nlmsg_put_str(&m, NFTA_SET_ELEM_LIST_SET, set_name(set));
		nlmsg_put_be32(&m, NFTA_SET_ELEM_LIST_SET_ID, set + 1u);
		nest = nlmsg_nest(&m, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (size_t end = i + PER_PART < n ? i + PER_PART : n; i < end; i++)
			put_element(&m, &list[i], drained, i);
		nlmsg_end(&m, nest);
		append(out, &m);
	}
}

void nft_encode_write(struct strbuf *out, const struct nftplan *p, bool replace,
                      uint32_t generation)
{
	batch(out, NFNL_MSG_BATCH_BEGIN, generation);
	if (replace)
		add_table(out, NFT_MSG_DELTABLE, p->vs.family, p->table, 0);
	add_table(out, NFT_MSG_NEWTABLE, p->vs.family, p->table, NLM_F_CREATE);
	/* elements before the rules: the first one closes a constant set */
	for (enum nft_set set = NFT_SLOTS_OUTPUT; set < NFT_SETS; set++) {
		if (!(set == NFT_DRAINED ? p->n_drained : p->n_slots))
			continue;
		add_set(out, p, set);
		add_elements(out, p, set);
	}
	for (enum nft_chain c = NFT_OUTPUT; p->n_slots && c < NFT_CHAINS; c++)
		add_chain(out, p, c);
	for (enum nft_chain c = NFT_OUTPUT; p->n_slots && c < NFT_CHAINS; c++)
		add_rule(out, p, c);
	batch(out, NFNL_MSG_BATCH_END, 0);
}

unsigned nft_drop_rules(enum nft_chain chain)
{
	return chain == NFT_INPUT ? NFT_DROPS : NFT_DROP_REPLY + 1;
}

void nft_encode_write_drop(struct strbuf *out, const struct nftplan *p, bool replace,
                           uint32_t generation)
{
	batch(out, NFNL_MSG_BATCH_BEGIN, generation);
	if (replace)
		add_table(out, NFT_MSG_DELTABLE, p->vs.family, p->table, 0);
	add_table(out, NFT_MSG_NEWTABLE, p->vs.family, p->table, NLM_F_CREATE);
	for (enum nft_chain c = NFT_INPUT; c <= NFT_FORWARD; c++) {
		add_chain(out, p, c);
		for (unsigned i = 0; i < nft_drop_rules(c); i++) {
			struct nlmsg m;

			begin_rule(&m, p, c);
			nftrule_put_drop(&m, p, (enum nft_drop)i);
			append(out, &m);
		}
	}
	batch(out, NFNL_MSG_BATCH_END, 0);
}

void nft_encode_remove(struct strbuf *out, int family, const char *table, uint32_t generation)
{
	batch(out, NFNL_MSG_BATCH_BEGIN, generation);
	add_table(out, NFT_MSG_DELTABLE, family, table, 0);
	batch(out, NFNL_MSG_BATCH_END, 0);
}

/* ---- questions */

void nft_encode_generation(struct nlmsg *m)
{
	begin(m, NFT_MSG_GETGEN, AF_INET, 0);
}

void nft_encode_table(struct nlmsg *m, int family, const char *table)
{
	begin(m, NFT_MSG_GETTABLE, family, table ? 0 : NLM_F_DUMP);
	if (table)
		nlmsg_put_str(m, NFTA_TABLE_NAME, table);
}

void nft_encode_chain(struct nlmsg *m, const struct nftplan *p, enum nft_chain chain)
{
	begin(m, NFT_MSG_GETCHAIN, p->vs.family, 0);
	nlmsg_put_str(m, NFTA_CHAIN_TABLE, p->table);
	nlmsg_put_str(m, NFTA_CHAIN_NAME, chains[chain].name);
}

void nft_encode_rules(struct nlmsg *m, const struct nftplan *p, enum nft_chain chain)
{
	begin(m, NFT_MSG_GETRULE, p->vs.family, NLM_F_DUMP);
	nlmsg_put_str(m, NFTA_RULE_TABLE, p->table);
	nlmsg_put_str(m, NFTA_RULE_CHAIN, chains[chain].name);
}

void nft_encode_set(struct nlmsg *m, const struct nftplan *p, enum nft_set set)
{
	begin(m, NFT_MSG_GETSET, p->vs.family, 0);
	nlmsg_put_str(m, NFTA_SET_TABLE, p->table);
	nlmsg_put_str(m, NFTA_SET_NAME, set_name(set));
}

void nft_encode_elements(struct nlmsg *m, const struct nftplan *p, enum nft_set set)
{
	begin(m, NFT_MSG_GETSETELEM, p->vs.family, NLM_F_DUMP);
	nlmsg_put_str(m, NFTA_SET_ELEM_LIST_TABLE, p->table);
	nlmsg_put_str(m, NFTA_SET_ELEM_LIST_SET, set_name(set));
}

/* ---- answers */

static bool attributes(struct span body, struct span *tb, size_t n)
{
	if (!span_take(&body, NULL, sizeof(struct nfgenmsg)))
		return false;
	attr_table(body, tb, n);
	return true;
}

bool nft_decode_generation(struct span body, uint32_t *out)
{
	struct span tb[NFTA_GEN_MAX + 1];

	return attributes(body, tb, NFTA_GEN_MAX + 1) && attr_be32(tb[NFTA_GEN_ID], out);
}

bool nft_decode_table(struct span body, char *name, size_t cap, uint32_t *flags, uint32_t *uses)
{
	struct span tb[NFTA_TABLE_MAX + 1];

	*flags = *uses = 0;
	if (!attributes(body, tb, NFTA_TABLE_MAX + 1) || !attr_str(tb[NFTA_TABLE_NAME], name, cap))
		return false;
	attr_be32(tb[NFTA_TABLE_FLAGS], flags);
	attr_be32(tb[NFTA_TABLE_USE], uses);
	return true;
}

bool nft_is_chain(struct span body, const struct nftplan *p, enum nft_chain chain)
{
	struct span tb[NFTA_CHAIN_MAX + 1], hook[NFTA_HOOK_MAX + 1];

	if (!attributes(body, tb, NFTA_CHAIN_MAX + 1))
		return false;
	attr_table(tb[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_MAX + 1);
	return attr_is_str(tb[NFTA_CHAIN_TABLE], p->table) &&
	       attr_is_str(tb[NFTA_CHAIN_NAME], chains[chain].name) &&
	       attr_is_str(tb[NFTA_CHAIN_TYPE], chains[chain].type) &&
	       attr_is_be32(tb[NFTA_CHAIN_POLICY], NF_ACCEPT) &&
	       attr_is_be32(hook[NFTA_HOOK_HOOKNUM], chains[chain].hook) &&
	       attr_is_be32(hook[NFTA_HOOK_PRIORITY], (uint32_t)chains[chain].priority);
}

/* The expressions of a rule of this chain. */
static bool expressions(struct span body, const struct nftplan *p, enum nft_chain chain,
                        struct span *out)
{
	struct span tb[NFTA_RULE_MAX + 1];

	if (!attributes(body, tb, NFTA_RULE_MAX + 1))
		return false;
	*out = tb[NFTA_RULE_EXPRESSIONS];
	return attr_is_str(tb[NFTA_RULE_TABLE], p->table) &&
	       attr_is_str(tb[NFTA_RULE_CHAIN], chains[chain].name);
}

bool nft_is_rule(struct span body, const struct nftplan *p, enum nft_chain chain)
{
	struct span list;

	return expressions(body, p, chain, &list) && nftrule_is(list, p, map_of(chain));
}

bool nft_is_drop_rule(struct span body, const struct nftplan *p, enum nft_chain chain, unsigned n)
{
	struct span list;

	return n < nft_drop_rules(chain) && expressions(body, p, chain, &list) &&
	       nftrule_is_drop(list, p, (enum nft_drop)n);
}

bool nft_is_set(struct span body, const struct nftplan *p, enum nft_set set)
{
	struct span tb[NFTA_SET_MAX + 1];
	bool drained = set == NFT_DRAINED;
	uint32_t len = (uint32_t)pair_len(p);

	return attributes(body, tb, NFTA_SET_MAX + 1) &&
	       attr_is_str(tb[NFTA_SET_TABLE], p->table) &&
	       attr_is_str(tb[NFTA_SET_NAME], set_name(set)) &&
	       attr_is_be32(tb[NFTA_SET_FLAGS], set_flags(set)) &&
	       attr_is_be32(tb[NFTA_SET_KEY_LEN], drained ? len : sizeof(uint32_t)) &&
	       (drained || attr_is_be32(tb[NFTA_SET_DATA_LEN], len));
}

static struct span value(struct span a)
{
	struct span tb[NFTA_DATA_MAX + 1];

	attr_table(a, tb, NFTA_DATA_MAX + 1);
	return tb[NFTA_DATA_VALUE];
}

/* A slot is where its key says, whatever the order in which the kernel tells. */
static bool decode_element(struct span elem, struct nftplan *p, bool drained)
{
	struct span tb[NFTA_SET_ELEM_MAX + 1], pair;
	struct addr a = {.family = p->vs.family};
	size_t len = addr_len(&a);
	uint32_t key;

	attr_table(elem, tb, NFTA_SET_ELEM_MAX + 1);
	pair = value(tb[drained ? NFTA_SET_ELEM_KEY : NFTA_SET_ELEM_DATA]);
	if (!pair.p || pair.len < len + sizeof(a.port))
		return false;
	memcpy(a.bytes, pair.p, len);
	a.port = (uint16_t)(pair.p[len] << 8 | pair.p[len + 1]);
	if (drained) {
		if (p->n_drained == DESTS_MAX)
			return false;
		p->drained[p->n_drained++] = a;
		return true;
	}
	if (!attr_u32(value(tb[NFTA_SET_ELEM_KEY]), &key) || key >= NFT_SLOTS_MAX ||
	    p->slot[key].family)
		return false;
	p->slot[key] = a;
	p->n_slots++;
	return true;
}

bool nft_decode_elements(struct span body, struct nftplan *p, enum nft_set set)
{
	struct span tb[NFTA_SET_ELEM_LIST_MAX + 1], list, elem;
	uint16_t type;

	if (!attributes(body, tb, NFTA_SET_ELEM_LIST_MAX + 1))
		return false;
	list = tb[NFTA_SET_ELEM_LIST_ELEMENTS];
	while (attr_next(&list, &type, &elem))
		if (!decode_element(elem, p, set == NFT_DRAINED))
			return false;
	return true;
}
