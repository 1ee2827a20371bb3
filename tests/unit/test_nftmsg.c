/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "addrs.h"
#include "err.h"
#include "kernel/nftmsg.h"
#include "nftanswers.h"
#include "strbuf.h"
#include "unit.h"

#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

static struct nftplan plan(const char *vs, const char *first, const char *second)
{
	struct rules r = {.vs = server(vs), .scheduler = "rr", .n = 2};
	struct nftplan p;

	r.dest[0] = (struct rules_dest){.addr = server(first), .weight = 1};
	r.dest[1] = (struct rules_dest){.addr = server(second), .weight = 1};
	nftplan_make(&p, &r);
	return p;
}

/* What the recorded answers tell of. */
static struct nftplan plan4(void)
{
	return plan("169.254.97.2", "10.9.0.3", "10.9.0.2");
}

static struct nftplan plan6(void)
{
	return plan("fd97::2", "fd09::3", "fd09::2");
}

static size_t bytes_of(const char *hex, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (unsigned v; sscanf(hex + 2 * n, "%2x", &v) == 1; n++) {
		assert_true(n < cap);
		out[n] = (uint8_t)v;
	}
	return n;
}

/* The body of the first message of a recorded answer. */
static struct span answer(const char *hex)
{
	static uint8_t buf[1024];
	struct span in = {buf, bytes_of(hex, buf, sizeof(buf))}, body = {0};
	struct nlmsghdr hdr;

	assert_true(nlmsg_next(&in, &hdr, &body));
	return body;
}

/* The n-th message (from 0) of this type in a transaction, whole; len 0: there is none. */
static struct span message(const struct strbuf *batch, uint16_t type, unsigned n)
{
	struct span in = {(const uint8_t *)batch->buf, batch->len}, body;
	struct nlmsghdr hdr;

	for (;;) {
		const uint8_t *at = in.p;

		if (!nlmsg_next(&in, &hdr, &body))
			return (struct span){0};
		if (hdr.nlmsg_type == type && !n--)
			return (struct span){at, hdr.nlmsg_len};
	}
}

#define NFT(type) (NFNL_SUBSYS_NFTABLES << 8 | (type))

static void is(const struct strbuf *batch, const char *const *golden, size_t n)
{
	struct span in = {(const uint8_t *)batch->buf, batch->len}, body;
	struct nlmsghdr hdr;

	for (size_t i = 0; i < n; i++) {
		const uint8_t *at = in.p;
		uint8_t want[1024];
		size_t len = bytes_of(golden[i], want, sizeof(want));

		assert_true(nlmsg_next(&in, &hdr, &body));
		assert_int_equal(hdr.nlmsg_len, len);
		assert_memory_equal(at, want, len);
	}
	assert_int_equal(in.len, 0);
}

static void new_tables_have_these_bytes(void **state)
{
	struct nftplan p4 = plan4(), p6 = plan6();
	auto_strbuf b4 = {0}, b6 = {0}, first = {0};

	(void)state;
	nft_encode_write(&b4, &p4, true, 7);
	is(&b4, write_v4, sizeof(write_v4) / sizeof(write_v4[0]));
	p6.by_source = true;
	p6.drained[p6.n_drained++] = p6.slot[--p6.n_slots];
	nft_encode_write(&b6, &p6, true, 7);
	is(&b6, write_v6, sizeof(write_v6) / sizeof(write_v6[0]));
	assert_true(message(&b4, NFT(NFT_MSG_DELTABLE), 0).len);
	nft_encode_write(&first, &p4, false, 7);
	assert_int_equal(message(&first, NFT(NFT_MSG_DELTABLE), 0).len, 0);
}

static void what_the_kernel_tells_is_understood(void **state)
{
	static const struct {
		const char *table, *chain, *rule, *set, *elements;
	} told[] = {{table_v4, chain_v4, rule_v4, set_v4, elements_v4},
	            {table_v6, chain_v6, rule_v6, set_v6, elements_v6}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct nftplan want = i ? plan6() : plan4(), p = {.vs = want.vs};
		char name[NFT_TABLE_MAX];
		uint32_t flags, uses;

		assert_true(
		    nft_decode_table(answer(told[i].table), name, sizeof(name), &flags, &uses));
		assert_string_equal(name, want.table);
		assert_int_equal(flags, 0);
		assert_int_equal(uses, i ? 2 : 3); /* one of them had a set of drained servers */
		assert_true(nft_is_chain(answer(told[i].chain), &want, NFT_OUTPUT));
		assert_false(nft_is_chain(answer(told[i].chain), &want, NFT_PREROUTING));
		assert_true(nft_is_rule(answer(told[i].rule), &want, NFT_OUTPUT));
		assert_false(nft_is_rule(answer(told[i].rule), &want, NFT_PREROUTING));
		assert_true(nft_is_set(answer(told[i].set), &want, NFT_SLOTS_OUTPUT));
		assert_false(nft_is_set(answer(told[i].set), &want, NFT_SLOTS_PREROUTING));
		assert_false(nft_is_set(answer(told[i].set), &want, NFT_DRAINED));
		assert_true(nft_decode_elements(answer(told[i].elements), &p, NFT_SLOTS_OUTPUT));
		assert_true(nftplan_same_slots(&p, &want));
		/* told again they have no place */
		assert_false(nft_decode_elements(answer(told[i].elements), &p, NFT_SLOTS_OUTPUT));
	}
}

static void drained_servers(void **state)
{
	struct nftplan p = {.vs = server("169.254.97.2")};
	char name[ADDR_STR_MAX];

	(void)state;
	assert_true(nft_decode_elements(answer(drained_v4), &p, NFT_DRAINED));
	assert_int_equal(p.n_drained, 2);
	assert_string_equal(addr_str(&p.drained[0], name), "10.0.0.2:7443");
	assert_string_equal(addr_str(&p.drained[1], name), "10.0.0.1:6443");
}

/* Whoever changes one byte of a rule has changed the rule. */
static void other_rules_are_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct nftplan p = i ? plan6() : plan4();
		struct span body = answer(i ? rule_v6 : rule_v4);
		uint8_t *at = (uint8_t *)(uintptr_t)body.p;
		unsigned alike = 0;

		for (size_t j = 68; j < body.len; j++) { /* behind names, handle and position */
			at[j] ^= 0x11;
			alike += nft_is_rule(body, &p, NFT_OUTPUT);
			at[j] ^= 0x11;
		}
		/* padding, and the register's end that kernels add to the nat expression */
		assert_true(alike < body.len / 6);
		assert_true(nft_is_rule(body, &p, NFT_OUTPUT));
		p.n_slots++;
		assert_false(nft_is_rule(body, &p, NFT_OUTPUT));
		p.n_slots--;
		p.by_source = true;
		assert_false(nft_is_rule(body, &p, NFT_OUTPUT));
		p.by_source = false;
		p.vs.port++;
		assert_false(nft_is_rule(body, &p, NFT_OUTPUT));
	}
}

static void nothing_is_read_behind_the_end(void **state) /* the sanitizers watch */
{
	static const char *const all[] = {table_v4, chain_v4, rule_v4, set_v4, elements_v4};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct nftplan p = plan4();
		struct span body = answer(all[i]);
		char name[NFT_TABLE_MAX];
		uint32_t a, b;

		for (size_t len = 0; len < body.len; len++) {
			struct span cut = {body.p, len};
			struct nftplan read = {.vs = p.vs};

			nft_is_chain(cut, &p, NFT_OUTPUT);
			nft_is_rule(cut, &p, NFT_OUTPUT);
			nft_is_set(cut, &p, NFT_SLOTS_OUTPUT);
			nft_decode_elements(cut, &read, NFT_SLOTS_OUTPUT);
			nft_decode_table(cut, name, sizeof(name), &a, &b);
			nft_decode_generation(cut, &a);
		}
	}
}

static void many_servers_go_in_parts(void **state)
{
	struct rules r = {.vs = server("fd97::2"), .scheduler = "sh", .n = DESTS_MAX};
	struct nftplan p, again;
	auto_strbuf b = {0};

	(void)state;
	for (size_t i = 0; i < DESTS_MAX; i++) {
		r.dest[i].addr = server("fd09::");
		r.dest[i].addr.bytes[15] = (uint8_t)(i + 1);
		r.dest[i].weight = i % 3;
	}
	nftplan_make(&p, &r);
	nft_encode_write(&b, &p, true, 1);
	again = (struct nftplan){.vs = p.vs, .by_source = true};
	for (unsigned n = 0; message(&b, NFT(NFT_MSG_NEWSETELEM), n).len; n++) {
		struct span m = message(&b, NFT(NFT_MSG_NEWSETELEM), n);
		struct span body = {m.p + sizeof(struct nlmsghdr), m.len - sizeof(struct nlmsghdr)};
		char set[16] = "";
		struct span tb[NFTA_SET_ELEM_LIST_MAX + 1], in = body;

		span_take(&in, NULL, sizeof(struct nfgenmsg));
		attr_table(in, tb, NFTA_SET_ELEM_LIST_MAX + 1);
		attr_str(tb[NFTA_SET_ELEM_LIST_SET], set, sizeof(set));
		if (strcmp(set, "__map1") != 0)
			assert_true(nft_decode_elements(
			    body, &again, *set == 'd' ? NFT_DRAINED : NFT_SLOTS_OUTPUT));
	}
	assert_true(nftplan_same(&p, &again));
}

static void without_slots_nothing_takes_connections(void **state)
{
	struct nftplan p = plan4();
	auto_strbuf b = {0};

	(void)state;
	p.drained[0] = p.slot[0];
	p.n_drained = 1;
	p.n_slots = 0;
	nft_encode_write(&b, &p, true, 1);
	assert_int_equal(message(&b, NFT(NFT_MSG_NEWCHAIN), 0).len, 0);
	assert_true(message(&b, NFT(NFT_MSG_NEWSET), 0).len);
	assert_int_equal(message(&b, NFT(NFT_MSG_NEWSET), 1).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(new_tables_have_these_bytes),
	    cmocka_unit_test(what_the_kernel_tells_is_understood),
	    cmocka_unit_test(drained_servers),
	    cmocka_unit_test(other_rules_are_others),
	    cmocka_unit_test(nothing_is_read_behind_the_end),
	    cmocka_unit_test(many_servers_go_in_parts),
	    cmocka_unit_test(without_slots_nothing_takes_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
