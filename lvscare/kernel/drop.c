// SPDX-License-Identifier: Apache-2.0
#include "drop.h"

#include "err.h"
#include "events.h"
#include "nftmsg.h"
#include "strbuf.h"

#include <errno.h>

#define TRIES    8
#define RETRY_MS 60000 /* until a kernel that could not have the rule is asked again */

/* What there is of the table. */
struct found {
	const struct nftplan *plan;
	bool table;
	uint32_t flags, uses;
	enum nft_chain chain; /* what is read */
	unsigned chains, rules, right;
	bool more; /* or fewer rules */
};

static int open_nft(struct drop *d, struct err *err)
{
	if (d->open)
		return 0;
	d->open = nft_open(&d->nft, err) == 0;
	return d->open ? 0 : -1;
}

void drop_release(struct drop *d)
{
	if (d->open)
		nft_release(&d->nft);
	d->open = false;
}

static void on_table(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct found *f = ctx;
	char name[NFT_TABLE_MAX];

	(void)hdr;
	f->table |= nft_decode_table(body, name, sizeof(name), &f->flags, &f->uses);
}

static void on_chain(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct found *f = ctx;

	(void)hdr;
	f->chains += nft_is_chain(body, f->plan, f->chain);
}

static void on_rule(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct found *f = ctx;

	(void)hdr;
	f->right += nft_is_drop_rule(body, f->plan, f->chain, f->rules++);
}

/* 0 when there is no such thing, too. */
static int ask(struct drop *d, struct nlmsg *m, nlsock_answer_fn *fn, struct found *f)
{
	int rc = nlsock_ask(&d->nft.sock, m, fn, f);

	return rc == -ENOENT ? 0 : rc;
}

static int look(struct drop *d, struct found *f)
{
	const struct nftplan *p = f->plan;
	struct nlmsg m;
	int rc;

	nft_encode_table(&m, p->vs.family, p->table);
	rc = ask(d, &m, on_table, f);
	if (rc < 0 || !f->table)
		return rc;
	for (f->chain = NFT_INPUT; f->chain <= NFT_FORWARD; f->chain++) {
		f->rules = 0;
		nft_encode_chain(&m, p, f->chain);
		rc = ask(d, &m, on_chain, f);
		if (rc < 0)
			return rc;
		nft_encode_rules(&m, p, f->chain);
		rc = ask(d, &m, on_rule, f);
		if (rc < 0)
			return rc;
		f->more |= f->rules != nft_drop_rules(f->chain);
	}
	return 0;
}

static bool whole(const struct found *f)
{
	return f->table && !f->flags && f->uses == 2 && f->chains == 2 && !f->more &&
	       f->right == nft_drop_rules(NFT_INPUT) + nft_drop_rules(NFT_FORWARD);
}

/* One look and, if need be, one transaction: 0, or a negative errno (-ERESTART: somebody else's
 * came between). */
static int apply_once(struct drop *d, const struct nftplan *p, struct events *ev)
{
	struct found f = {.plan = p};
	auto_strbuf batch = {0};
	uint32_t generation, refused;
	char name[ADDR_STR_MAX];
	int rc = nft_generation(&d->nft, &generation);

	if (rc < 0 || (d->nft.known && d->nft.generation == generation))
		return rc;
	d->nft.known = false;
	rc = look(d, &f);
	if (rc < 0)
		return rc;
	if (whole(&f)) {
		d->nft.generation = generation;
		d->nft.known = true;
		return 0;
	}
	nft_encode_write_drop(&batch, p, f.table, generation);
	rc = nlsock_commit(&d->nft.sock, &batch, &refused);
	if (rc < 0)
		return rc;
	ev->changed[CHANGE_DROP_RULE]++;
	event(ev, LOG_LVL_INFO, "drop rules of %s %s, nftables table %s", addr_str(&p->vs, name),
	      f.table ? "set back" : "added", p->table);
	return 0;
}

void drop_apply(struct drop *d, const struct addr *vs, struct events *ev)
{
	struct nftplan p = {.vs = *vs};
	struct err err = {0};
	char text[256];
	int rc = -ERESTART;

	if (d->failed && ev->now < d->next_try)
		return;
	nftplan_drop_name(p.table, vs);
	if (open_nft(d, &err) == 0) {
		for (int i = 0; i < TRIES && rc == -ERESTART; i++)
			rc = apply_once(d, &p, ev);
		if (rc < 0)
			err_set(&err, "nftables: %s",
			        nlsock_strerror(&d->nft.sock, rc, text, sizeof(text)));
	}
	if (!*err.msg) {
		d->failed = false;
		return;
	}
	if (!d->failed)
		event(ev, LOG_LVL_WARN,
		      "no drop rules: %s; connections are refused and reset while others have "
		      "removed the rules",
		      err.msg);
	d->failed = true;
	d->next_try = ev->now + RETRY_MS;
	drop_release(d);
}

int drop_remove(struct drop *d, const struct addr *vs, struct events *ev, struct err *err)
{
	char table[NFT_TABLE_MAX], name[ADDR_STR_MAX];
	struct err none = {0};
	int rc;

	if (open_nft(d, &none) < 0)
		return 0;
	nftplan_drop_name(table, vs);
	rc = nft_remove_table(&d->nft, vs->family, table);
	if (rc == -ENOENT || rc == -EOPNOTSUPP || rc == -EAFNOSUPPORT)
		return 0;
	if (rc < 0)
		return nlsock_fail(&d->nft.sock, rc, err, "remove drop rules of", vs);
	event(ev, LOG_LVL_INFO, "drop rules of %s removed, nftables table %s", addr_str(vs, name),
	      table);
	return 0;
}
