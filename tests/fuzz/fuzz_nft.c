/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
// Answers of nftables and conntrack: any bytes, as messages. A table that was read can be written.
#include "kernel/conntrack.h"
#include "kernel/nftmsg.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tables(struct span body, struct nftplan *p)
{
	char name[NFT_TABLE_MAX];
	uint32_t a, b;
	uint16_t port;

	nft_decode_generation(body, &a);
	if (nft_decode_table(body, name, sizeof(name), &a, &b))
		nftplan_port(name, &p->vs, &port);
	for (enum nft_chain c = NFT_OUTPUT; c < NFT_CHAINS; c++) {
		nft_is_chain(body, p, c);
		nft_is_rule(body, p, c);
	}
	for (enum nft_set s = NFT_SLOTS_OUTPUT; s < NFT_SETS; s++) {
		nft_is_set(body, p, s);
		nft_decode_elements(body, p, s);
	}
}

static void written(struct nftplan *p)
{
	auto_strbuf batch = {0};
	struct rules_view view;

	nftplan_view(p, &view);
	if (view.n > DESTS_MAX)
		abort();
	if (p->n_slots > NFT_SLOTS_MAX || p->n_drained > DESTS_MAX)
		abort();
	nft_encode_write(&batch, p, true, 1);
}

static void flows(struct span body)
{
	struct nlmsg m;
	struct flow f;

	if (!conntrack_decode(body, &f))
		return;
	conntrack_encode_forget(&m, &f);
	if (m.len > NLMSG_CAP)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < 2; i++) {
		struct nftplan p = {.vs = {.family = families[i], .port = 6443}};
		struct span in = {data, size}, body;
		struct nlmsghdr hdr;

		nftplan_name(p.table, &p.vs);
		while (nlmsg_next(&in, &hdr, &body)) {
			tables(body, &p);
			flows(body);
		}
		written(&p);
	}
	return 0;
}
