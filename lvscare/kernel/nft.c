// SPDX-License-Identifier: Apache-2.0
#include "nft.h"

#include "conntrack.h"
#include "err.h"
#include "events.h"
#include "mem.h"
#include "nftmsg.h"
#include "strbuf.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES     8
#define FLOWS_MAX 1024 /* forgotten in one go */

/* A table as it was found. */
struct found {
	bool table; /* there is one */
	bool whole; /* everything in it is as ours are */
	struct nftplan plan;
	struct nftplan other; /* with the slots of the other chain; then: by the other choice */
	unsigned rules, right_by_turn, right_by_source;
	unsigned right, odd;
	uint32_t flags, uses;
	enum nft_chain chain; /* what is read */
	enum nft_set set;
};

int nft_open(struct nft *b, struct err *err)
{
	char text[256];
	struct nlmsg m;
	int rc;

	*b = (struct nft){0};
	if (nlsock_open(&b->sock, NETLINK_NETFILTER, err) < 0) {
		b->missing = errno == EPROTONOSUPPORT;
		rc = b->missing ? -EINVAL : -errno;
	} else {
		nft_encode_generation(&m);
		rc = nlsock_ask(&b->sock, &m, NULL, NULL);
	}
	/* who may not ask is told when he asks for something */
	if (rc == 0 || rc == -EPERM)
		return 0;
	b->missing = rc == -EINVAL || rc == -EOPNOTSUPP;
	if (b->missing)
		err_set(err, "this kernel has no nftables: load the module nf_tables on the host "
		             "(modprobe nf_tables) or boot a kernel with CONFIG_NF_TABLES");
	else if (b->sock.buf)
		err_set(err, "look for nftables in the kernel: %s",
		        nlsock_strerror(&b->sock, rc, text, sizeof(text)));
	nft_release(b);
	return -1;
}

void nft_release(struct nft *b)
{
	cut_release(&b->cut);
	nlsock_release(&b->sock);
}

/* ---- reading */

static void on_generation(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	(void)hdr;
	nft_decode_generation(body, ctx);
}

int nft_generation(struct nft *b, uint32_t *out)
{
	struct nlmsg m;

	*out = 0;
	nft_encode_generation(&m);
	return nlsock_ask(&b->sock, &m, on_generation, out);
}

static void on_table(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct found *f = ctx;
	char name[NFT_TABLE_MAX];

	(void)hdr;
	f->table |= nft_decode_table(body, name, sizeof(name), &f->flags, &f->uses);
}

static void on_elements(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct found *f = ctx;
	struct nftplan *p = f->set == NFT_SLOTS_PREROUTING ? &f->other : &f->plan;

	(void)hdr;
	f->odd += !nft_decode_elements(body, p, f->set);
}

static void on_set(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct found *f = ctx;

	(void)hdr;
	f->right += nft_is_set(body, &f->plan, f->set);
}

static void on_chain(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct found *f = ctx;

	(void)hdr;
	f->right += nft_is_chain(body, &f->plan, f->chain);
}

static void on_rule(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct found *f = ctx;

	(void)hdr;
	f->rules++;
	f->right_by_turn += nft_is_rule(body, &f->plan, f->chain);
	f->right_by_source += nft_is_rule(body, &f->other, f->chain);
}

/* 0 when there is no such thing, too. */
static int ask(struct nft *b, struct nlmsg *m, nlsock_answer_fn *fn, struct found *f)
{
	int rc = nlsock_ask(&b->sock, m, fn, f);

	return rc == -ENOENT ? 0 : rc;
}

static int read_sets(struct nft *b, struct found *f)
{
	struct nlmsg m;
	int rc = 0;

	f->other = f->plan;
	for (f->set = NFT_SLOTS_OUTPUT; f->set < NFT_SETS && rc == 0; f->set++) {
		nft_encode_elements(&m, &f->plan, f->set);
		rc = ask(b, &m, on_elements, f);
		if (rc == 0) {
			nft_encode_set(&m, &f->plan, f->set);
			rc = ask(b, &m, on_set, f);
		}
	}
	f->odd += !nftplan_same_slots(&f->plan, &f->other);
	return rc;
}

static int read_chains(struct nft *b, struct found *f)
{
	struct nlmsg m;
	int rc = 0;

	f->other = f->plan;
	f->other.by_source = true;
	for (f->chain = NFT_OUTPUT; f->chain < NFT_CHAINS && rc == 0; f->chain++) {
		nft_encode_chain(&m, &f->plan, f->chain);
		rc = ask(b, &m, on_chain, f);
		if (rc == 0) {
			nft_encode_rules(&m, &f->plan, f->chain);
			rc = ask(b, &m, on_rule, f);
		}
	}
	return rc;
}

/* A chain with a rule and a map for each hook, and perhaps a set of drained ones. The uses tell
 * whether there is more: the kernel does not count maps without a name among them. */
static void judge(struct found *f)
{
	unsigned chains = f->plan.n_slots ? NFT_CHAINS : 0, drained = f->plan.n_drained ? 1 : 0;

	f->plan.by_source = chains && f->right_by_source == chains;
	f->whole = f->table && !f->flags && !f->odd && f->uses == chains + drained &&
	           f->right == 2 * chains + drained && f->rules == chains &&
	           (f->right_by_turn == chains || f->right_by_source == chains);
}

static int look(struct nft *b, const struct addr *vs, struct found *f)
{
	struct nlmsg m;
	int rc = -EINTR;

	for (int i = 0; i < TRIES && rc == -EINTR; i++) {
		*f = (struct found){.plan.vs = *vs};
		nftplan_name(f->plan.table, vs);
		nft_encode_table(&m, vs->family, f->plan.table);
		rc = ask(b, &m, on_table, f);
		if (rc == 0 && f->table)
			rc = read_sets(b, f);
		if (rc == 0 && f->table)
			rc = read_chains(b, f);
	}
	judge(f);
	return rc;
}

/* ---- connections to servers that are gone */

struct flows {
	const struct rules *rules;
	struct flow *flow; /* FLOWS_MAX of them */
	size_t n;
	struct cut *cut;
	struct addr server; /* of the first one that was found */
	bool more;          /* servers than that */
};

static void on_flow(void *ctx, const struct flow *f)
{
	struct flows *flows = ctx;

	/* a process of this node may have answered at the virtual address itself */
	if (flows->n == FLOWS_MAX || rules_have(flows->rules, &f->server) ||
	    addr_same_host(&f->server, &f->to))
		return;
	flows->flow[flows->n++] = *f;
	if (!flows->server.family)
		flows->server = f->server;
	flows->more |= !addr_eq(&flows->server, &f->server);
	cut_add(flows->cut, &f->to, &f->client);
}

static int forget_some(struct nft *b, struct flows *flows)
{
	int rc = conntrack_list(&b->sock, &flows->rules->vs, on_flow, flows);

	for (size_t i = 0; i < flows->n && rc == 0; i++)
		rc = conntrack_forget(&b->sock, &flows->flow[i]);
	return rc;
}

static void forget(struct nft *b, const struct rules *rules, struct events *ev)
{
	auto_free struct flow *room = xcalloc(FLOWS_MAX, sizeof(*room));
	struct flows flows = {.rules = rules, .flow = room, .cut = &b->cut};
	char text[256], name[ADDR_STR_MAX];
	size_t cut;
	int rc = 0;

	do {
		flows.n = 0;
		rc = forget_some(b, &flows);
	} while (rc == 0 && flows.n == FLOWS_MAX);
	if (rc < 0 && !b->conntrack_logged)
		event(ev, LOG_LVL_WARN,
		      "connections to real servers that are gone are not reset: conntrack: %s "
		      "(CONFIG_NF_CT_NETLINK)",
		      nlsock_strerror(&b->sock, rc, text, sizeof(text)));
	b->conntrack_logged = rc < 0;
	cut = cut_run(&b->cut);
	if (cut)
		event(ev, LOG_LVL_INFO, "%zu connections to %s cut", cut,
		      flows.more ? "removed real servers" : addr_str(&flows.server, name));
}

/* ---- writing */

/* What in the kernel the refused message needed. */
static const char *module_of(const struct strbuf *batch, uint32_t refused, const struct nftplan *p)
{
	struct span in = {(const uint8_t *)batch->buf, batch->len}, body;
	struct nlmsghdr hdr = {0};

	while (refused-- && nlmsg_next(&in, &hdr, &body))
		;
	switch (hdr.nlmsg_type & 0xff) {
	case NFT_MSG_NEWCHAIN:
		return "nft_chain_nat (CONFIG_NF_NAT, CONFIG_NFT_NAT)";
	case NFT_MSG_NEWRULE:
		return p->by_source ? "nft_hash or nft_nat (CONFIG_NFT_HASH, CONFIG_NFT_NAT)"
		                    : "nft_numgen or nft_nat (CONFIG_NFT_NUMGEN, CONFIG_NFT_NAT)";
	default:
		return NULL;
	}
}

static int write_table(struct nft *b, const struct nftplan *p, bool replace, uint32_t generation,
                       struct err *err)
{
	auto_strbuf batch = {0};
	char name[ADDR_STR_MAX];
	const char *module = NULL;
	uint32_t refused;
	int rc;

	nft_encode_write(&batch, p, replace, generation);
	rc = nlsock_commit(&b->sock, &batch, &refused);
	if (rc == 0 || rc == -ERESTART)
		return rc;
	if (rc == -ENOENT || rc == -EOPNOTSUPP)
		module = module_of(&batch, refused, p);
	if (module)
		return err_set(err, "virtual server %s: nftables of this kernel lacks %s",
		               addr_str(&p->vs, name), module);
	return nlsock_fail(&b->sock, rc, err, "write virtual server", &p->vs);
}

static const struct rules_seen *seen(const struct rules_view *v, const struct addr *a)
{
	for (size_t i = 0; i < v->n; i++)
		if (addr_eq(&v->dest[i].addr, a))
			return &v->dest[i];
	return NULL;
}

static void tell_server(const struct rules_seen *was, const struct rules_seen *is,
                        struct events *ev)
{
	char name[ADDR_STR_MAX];

	addr_str(&(is ? is : was)->addr, name);
	if (was && is && was->weight == is->weight)
		return;
	ev->changed[CHANGE_REAL_SERVER]++;
	if (!was)
		event(ev, LOG_LVL_INFO, "real server %s added, weight %u", name, is->weight);
	else if (!is)
		event(ev, LOG_LVL_INFO, "real server %s removed", name);
	else
		event(ev, LOG_LVL_INFO, "real server %s set to weight %u (was %u)", name,
		      is->weight, was->weight);
}

/* Tells what has changed; true when a server is gone. */
static bool tell(const struct found *f, const struct nftplan *want, struct events *ev)
{
	struct rules_view was = {0}, is;
	char name[ADDR_STR_MAX];
	unsigned before = ev->changed[CHANGE_REAL_SERVER];
	bool gone = false;

	addr_str(&want->vs, name);
	if (f->table)
		nftplan_view(&f->plan, &was);
	nftplan_view(want, &is);
	if (!f->table) {
		ev->changed[CHANGE_VIRTUAL_SERVER]++;
		event(ev, LOG_LVL_INFO, "virtual server %s added, nftables table %s", name,
		      want->table);
	}
	for (size_t i = 0; i < is.n; i++)
		tell_server(seen(&was, &is.dest[i].addr), &is.dest[i], ev);
	for (size_t i = 0; i < was.n; i++) {
		if (seen(&is, &was.dest[i].addr))
			continue;
		tell_server(&was.dest[i], NULL, ev);
		gone = true;
	}
	if (!f->table || (f->whole && ev->changed[CHANGE_REAL_SERVER] != before))
		return gone || !f->table;
	ev->changed[CHANGE_VIRTUAL_SERVER]++;
	event(ev, LOG_LVL_INFO, "virtual server %s set back: nftables table %s", name, want->table);
	return gone;
}

/* IPVS has schedulers that count connections, nftables does not. */
static void tell_scheduler(struct nft *b, const char *scheduler, struct events *ev)
{
	if (strcmp(scheduler, "rr") == 0 || strcmp(scheduler, "wrr") == 0 ||
	    strcmp(scheduler, "sh") == 0 || strcmp(scheduler, b->scheduler_logged) == 0)
		return;
	snprintf(b->scheduler_logged, sizeof(b->scheduler_logged), "%s", scheduler);
	event(ev, LOG_LVL_WARN,
	      "scheduler %s: nftables only takes servers in turn (rr, wrr) or by source (sh): in "
	      "turn",
	      scheduler);
}

/* One look and, if need be, one transaction: 1 when somebody else's came between, which the last
 * try does not mind. */
static int apply_once(struct nft *b, const struct rules *rules, const struct nftplan *want,
                      bool last, struct events *ev, struct err *err)
{
	uint32_t generation, after;
	struct found f = {0};
	int rc = nft_generation(b, &generation);

	if (rc == 0 && b->known && b->generation == generation && nftplan_same(&b->plan, want))
		return 0;
	b->known = false;
	if (rc == 0)
		rc = look(b, &want->vs, &f);
	if (rc < 0)
		return nlsock_fail(&b->sock, rc, err, "read virtual server", &want->vs);
	after = generation;
	if (!f.whole || !nftplan_same(&f.plan, want)) {
		rc = write_table(b, want, f.table, last ? 0 : generation, err);
		if (rc == -ERESTART)
			return 1;
		if (rc < 0)
			return -1;
		if (tell(&f, want, ev))
			forget(b, rules, ev);
		after = generation + 1; /* if it was ours alone */
	}
	rc = nft_generation(b, &generation);
	b->known = rc == 0 && generation == after;
	b->generation = generation;
	b->plan = *want;
	return 0;
}

int nft_apply(struct nft *b, const struct rules *rules, struct events *ev, struct err *err)
{
	struct nftplan want;
	int rc = 1;

	nftplan_make(&want, rules);
	tell_scheduler(b, rules->scheduler, ev);
	for (int left = TRIES; left-- && rc > 0;)
		rc = apply_once(b, rules, &want, !left, ev, err);
	return rc;
}

int nft_remove_table(struct nft *b, int family, const char *table)
{
	uint32_t generation = 0, refused;
	auto_strbuf batch = {0};
	int rc = -ERESTART;

	for (int i = 0; i < TRIES && rc == -ERESTART; i++) {
		rc = nft_generation(b, &generation);
		strbuf_reset(&batch);
		nft_encode_remove(&batch, family, table, generation);
		if (rc == 0)
			rc = nlsock_commit(&b->sock, &batch, &refused);
	}
	b->known = false;
	return rc;
}

int nft_remove(struct nft *b, const struct addr *vs, struct events *ev, struct err *err)
{
	char table[NFT_TABLE_MAX], name[ADDR_STR_MAX];
	int rc;

	nftplan_name(table, vs);
	rc = nft_remove_table(b, vs->family, table);
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return nlsock_fail(&b->sock, rc, err, "remove virtual server", vs);
	event(ev, LOG_LVL_INFO, "virtual server %s removed, nftables table %s", addr_str(vs, name),
	      table);
	return 0;
}

/* ---- for people */

static void count(void *ctx, const struct flow *f)
{
	struct rules_view *v = ctx;

	for (size_t i = 0; i < v->n; i++) {
		if (!addr_eq(&v->dest[i].addr, &f->server))
			continue;
		v->dest[i].active += f->established;
		v->dest[i].inactive += !f->established;
	}
}

int nft_read(struct nft *b, const struct addr *vs, struct rules_view *out, struct err *err)
{
	struct found f = {0};
	int rc = look(b, vs, &f);

	*out = (struct rules_view){0};
	if (rc < 0)
		return nlsock_fail(&b->sock, rc, err, "read virtual server", vs);
	if (!f.table)
		return 0;
	nftplan_view(&f.plan, out);
	if (!f.whole)
		snprintf(out->scheduler, sizeof(out->scheduler), "unknown");
	conntrack_list(&b->sock, vs, count, out);
	return 0;
}

static void on_listed(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct addr *vs = ctx;
	char name[NFT_TABLE_MAX];
	uint32_t flags, uses;

	(void)hdr;
	if (!vs->port && nft_decode_table(body, name, sizeof(name), &flags, &uses))
		nftplan_port(name, vs, &vs->port);
}

bool nft_find_port(struct nft *b, struct addr *vs)
{
	struct nlmsg m;

	vs->port = 0;
	nft_encode_table(&m, vs->family, NULL);
	nlsock_ask(&b->sock, &m, on_listed, vs);
	return vs->port;
}
