/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "net.h"

/* Real servers of one virtual server; more strangers are removed in the next round. */
#define DESTS_MAX 64

/* What the kernel shall hold for one virtual server. */
struct rules {
	struct addr vs;
	const char *scheduler;
	struct rules_dest {
		struct addr addr;
		uint32_t weight; /* 0: drained, its connections live on */
	} dest[DESTS_MAX];
	size_t n;
};

static inline bool rules_have(const struct rules *rules, const struct addr *a)
{
	for (size_t i = 0; i < rules->n; i++)
		if (addr_eq(&rules->dest[i].addr, a))
			return true;
	return false;
}

/* What it has. */
struct rules_view {
	struct addr vs; /* family 0: it has no such virtual server */
	char scheduler[16];
	struct rules_seen {
		struct addr addr;
		uint32_t weight;
		uint32_t active, inactive; /* connections */
	} dest[DESTS_MAX];
	size_t n;
};
