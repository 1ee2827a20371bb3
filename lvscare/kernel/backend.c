// SPDX-License-Identifier: Apache-2.0
#include "backend.h"

#include "err.h"
#include "events.h"

#include <string.h>

static const char *const names[BACKEND_KINDS] = {"auto", "ipvs", "nft"};

const char *backend_name(enum backend_kind kind)
{
	return names[kind];
}

enum backend_kind backend_by_name(const char *name)
{
	enum backend_kind kind = BACKEND_AUTO;

	while (kind < BACKEND_KINDS && strcmp(name, names[kind]) != 0)
		kind++;
	return kind;
}

/* The one or the other, or nothing and -1; missing: the kernel has none. */
static int open_one(struct backend *b, enum backend_kind kind, bool *missing, struct err *err)
{
	int rc = kind == BACKEND_IPVS ? ipvs_open(&b->ipvs, err) : nft_open(&b->nft, err);

	*missing = rc < 0 && (kind == BACKEND_IPVS ? b->ipvs.missing : b->nft.missing);
	b->kind = rc == 0 ? kind : BACKEND_AUTO;
	return rc;
}

int backend_open(struct backend *b, enum backend_kind want, struct err *err)
{
	struct err no_ipvs = {0};
	bool missing;

	b->alone = false;
	if (want != BACKEND_AUTO)
		return open_one(b, want, &missing, err);
	if (open_one(b, BACKEND_IPVS, &missing, &no_ipvs) == 0)
		return 0;
	if (!missing) {
		*err = no_ipvs;
		return -1;
	}
	if (open_one(b, BACKEND_NFT, &missing, err) == 0)
		return 0;
	if (missing)
		err_set(err, "this kernel has neither IPVS nor nftables: load the module ip_vs or "
		             "nf_tables on the host (modprobe ip_vs) or boot a kernel with "
		             "CONFIG_IP_VS or CONFIG_NF_TABLES");
	return -1;
}

void backend_release(struct backend *b)
{
	if (b->kind == BACKEND_IPVS)
		ipvs_release(&b->ipvs);
	if (b->kind == BACKEND_NFT)
		nft_release(&b->nft);
	b->kind = BACKEND_AUTO;
}

static int remove_from(enum backend_kind kind, const struct addr *vs, struct events *ev,
                       struct err *err)
{
	struct backend b = {0};
	bool missing;
	int rc;

	if (open_one(&b, kind, &missing, err) < 0)
		return missing ? 0 : -1;
	rc = kind == BACKEND_IPVS ? ipvs_remove(&b.ipvs, vs, ev, err)
	                          : nft_remove(&b.nft, vs, ev, err);
	backend_release(&b);
	return rc;
}

int backend_remove(const struct addr *vs, struct events *ev, struct err *err)
{
	if (remove_from(BACKEND_IPVS, vs, ev, err) < 0)
		return -1;
	return remove_from(BACKEND_NFT, vs, ev, err);
}

/* What an earlier kernel or option has left behind in the other one. */
static void leave_other(struct backend *b, const struct addr *vs, struct events *ev)
{
	enum backend_kind other = b->kind == BACKEND_IPVS ? BACKEND_NFT : BACKEND_IPVS;
	struct err err = {0};

	if (!b->alone && remove_from(other, vs, ev, &err) < 0)
		event(ev, LOG_LVL_WARN, "%s; what is there stays", err.msg);
	b->alone = true;
}

int backend_apply(struct backend *b, const struct rules *rules, struct events *ev, struct err *err)
{
	int rc = b->kind == BACKEND_IPVS ? ipvs_apply(&b->ipvs, rules, ev, err)
	                                 : nft_apply(&b->nft, rules, ev, err);

	if (rc < 0)
		return -1;
	if (b->last_kind != BACKEND_AUTO && b->last_kind != b->kind)
		event(ev, LOG_LVL_WARN, "the backend is %s now", names[b->kind]);
	b->last_kind = b->kind;
	leave_other(b, &rules->vs, ev);
	return 0;
}

/* 1 when it has the virtual server, 0 when it has not. */
static int read_one(struct backend *b, struct addr *vs, struct rules_view *out, struct err *err)
{
	bool ipvs = b->kind == BACKEND_IPVS;
	int rc;

	if (!vs->port && !(ipvs ? ipvs_find_port(&b->ipvs, vs) : nft_find_port(&b->nft, vs)))
		return 0;
	rc = ipvs ? ipvs_read(&b->ipvs, vs, out, err) : nft_read(&b->nft, vs, out, err);
	return rc < 0 ? rc : out->vs.family != 0;
}

int backend_read(struct addr *vs, struct rules_view *out, enum backend_kind *kind, struct err *err)
{
	struct backend b = {0};
	bool missing;

	*out = (struct rules_view){0};
	if (backend_open(&b, BACKEND_AUTO, err) < 0)
		return -1;
	*kind = b.kind;
	for (;;) {
		int rc = read_one(&b, vs, out, err);

		if (rc == 1)
			*kind = b.kind;
		if (rc || b.kind == BACKEND_NFT) {
			backend_release(&b);
			return rc < 0 ? -1 : 0;
		}
		backend_release(&b);
		if (open_one(&b, BACKEND_NFT, &missing, &(struct err){0}) < 0)
			return 0;
	}
}
