// SPDX-License-Identifier: Apache-2.0
#include "nftplan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void name_table(char table[static NFT_TABLE_MAX], const char *prefix, const struct addr *vs)
{
	char host[ADDR_STR_MAX];

	addr_host(vs, host);
	for (char *c = host; *c; c++)
		if (*c == ':')
			*c = '.';
	snprintf(table, NFT_TABLE_MAX, "%s-%.40s-%u", prefix, host, vs->port);
}

void nftplan_name(char table[static NFT_TABLE_MAX], const struct addr *vs)
{
	name_table(table, "lvscare", vs);
}

void nftplan_drop_name(char table[static NFT_TABLE_MAX], const struct addr *vs)
{
	name_table(table, "lvscare-drop", vs);
}

bool nftplan_port(const char *table, const struct addr *host, uint16_t *port)
{
	const char *last = strrchr(table, '-');
	char name[NFT_TABLE_MAX];
	struct addr vs = *host;
	unsigned long n;

	if (!last)
		return false;
	n = strtoul(last + 1, NULL, 10);
	if (!n || n > UINT16_MAX)
		return false;
	vs.port = *port = (uint16_t)n;
	nftplan_name(name, &vs);
	return strcmp(name, table) == 0;
}

static uint32_t divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t r = a % b;

		a = b;
		b = r;
	}
	return a;
}

/* How many slots there are at this scale. */
static size_t slots(const struct rules *rules, uint32_t scale)
{
	size_t n = 0;

	for (size_t i = 0; i < rules->n; i++)
		if (rules->dest[i].weight)
			n += rules->dest[i].weight < scale ? 1 : rules->dest[i].weight / scale;
	return n;
}

void nftplan_make(struct nftplan *p, const struct rules *rules)
{
	uint32_t scale = 0;

	*p = (struct nftplan){.vs = rules->vs, .by_source = strcmp(rules->scheduler, "sh") == 0};
	nftplan_name(p->table, &rules->vs);
	for (size_t i = 0; i < rules->n; i++) {
		scale = divisor(rules->dest[i].weight, scale);
		if (!rules->dest[i].weight)
			p->drained[p->n_drained++] = rules->dest[i].addr;
	}
	while (scale && slots(rules, scale) > NFT_SLOTS_MAX)
		scale *= 2;
	/* round by round, so that a heavy server's slots are not in a row */
	for (uint32_t round = 0; scale && p->n_slots < slots(rules, scale); round++)
		for (size_t i = 0; i < rules->n; i++) {
			uint32_t weight = rules->dest[i].weight;

			if (weight && (!round || weight / scale > round))
				p->slot[p->n_slots++] = rules->dest[i].addr;
		}
}

bool nftplan_same_slots(const struct nftplan *a, const struct nftplan *b)
{
	if (a->n_slots != b->n_slots)
		return false;
	for (size_t i = 0; i < a->n_slots; i++)
		if (!addr_eq(&a->slot[i], &b->slot[i]))
			return false;
	return true;
}

/* The kernel tells them in an order of its own. */
static bool same_drained(const struct nftplan *a, const struct nftplan *b)
{
	for (size_t i = 0; i < a->n_drained; i++) {
		size_t j = 0;

		while (j < b->n_drained && !addr_eq(&a->drained[i], &b->drained[j]))
			j++;
		if (j == b->n_drained)
			return false;
	}
	return true;
}

bool nftplan_same(const struct nftplan *a, const struct nftplan *b)
{
	return addr_eq(&a->vs, &b->vs) && a->by_source == b->by_source &&
	       nftplan_same_slots(a, b) && a->n_drained == b->n_drained && same_drained(a, b);
}

static void see(struct rules_view *out, const struct addr *a, uint32_t weight)
{
	if (!a->family) /* somebody has left slots out */
		return;
	for (size_t i = 0; i < out->n; i++)
		if (addr_eq(&out->dest[i].addr, a)) {
			out->dest[i].weight += weight;
			return;
		}
	if (out->n < DESTS_MAX)
		out->dest[out->n++] = (struct rules_seen){.addr = *a, .weight = weight};
}

void nftplan_view(const struct nftplan *p, struct rules_view *out)
{
	*out = (struct rules_view){.vs = p->vs};
	snprintf(out->scheduler, sizeof(out->scheduler), "%s", p->by_source ? "sh" : "wrr");
	for (size_t i = 0; i < p->n_slots; i++)
		see(out, &p->slot[i], 1);
	for (size_t i = 0; i < p->n_drained; i++)
		see(out, &p->drained[i], 0);
}
