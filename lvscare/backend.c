// SPDX-License-Identifier: Apache-2.0
#include "backend.h"

#include "err.h"

const char *backend_name(enum backend_kind kind)
{
	static const char *const names[] = {[BACKEND_AUTO] = "auto", [BACKEND_IPVS] = "ipvs"};

	return names[kind];
}

int backend_open(struct backend *b, enum backend_kind want, struct err *err)
{
	(void)want;
	b->kind = BACKEND_AUTO;
	if (ipvs_open(&b->ipvs, err) < 0)
		return -1;
	b->kind = BACKEND_IPVS;
	return 0;
}

void backend_release(struct backend *b)
{
	if (b->kind == BACKEND_IPVS)
		ipvs_release(&b->ipvs);
	b->kind = BACKEND_AUTO;
}

int backend_apply(struct backend *b, const struct rules *rules, struct events *ev, struct err *err)
{
	return ipvs_apply(&b->ipvs, rules, ev, err);
}

int backend_read(struct backend *b, const struct addr *vs, struct rules_view *out, struct err *err)
{
	return ipvs_read(&b->ipvs, vs, out, err);
}

bool backend_find_port(struct backend *b, struct addr *vs)
{
	return ipvs_find_port(&b->ipvs, vs);
}

int backend_remove(const struct addr *vs, struct events *ev, struct err *err)
{
	struct ipvs ipvs;
	int rc;

	if (ipvs_open(&ipvs, err) < 0)
		return ipvs.missing ? 0 : -1;
	rc = ipvs_remove(&ipvs, vs, ev, err);
	ipvs_release(&ipvs);
	return rc;
}
