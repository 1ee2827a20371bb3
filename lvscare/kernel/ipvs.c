// SPDX-License-Identifier: Apache-2.0
#include "ipvs.h"

#include "err.h"
#include "events.h"
#include "genl.h"
#include "strbuf.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#define DUMP_TRIES 8

static int failed(struct ipvs *b, int rc, struct err *err, const char *what, const struct addr *a)
{
	return nlsock_fail(&b->sock, rc, err, what, a);
}

static void on_family(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	uint16_t *family = ctx;

	if (hdr->nlmsg_type < NLMSG_MIN_TYPE || !genl_decode_find(body, family))
		*family = 0;
}

int ipvs_open(struct ipvs *b, struct err *err)
{
	struct nlmsg m;
	char text[256];
	int rc;

	*b = (struct ipvs){0};
	if (nlsock_open(&b->sock, NETLINK_GENERIC, err) < 0)
		return -1;
	genl_encode_find(&m, IPVS_GENL_NAME);
	rc = nlsock_ask(&b->sock, &m, on_family, &b->family);
	if (rc == 0 && b->family)
		return 0;
	b->missing = rc == 0 || rc == -ENOENT;
	if (b->missing)
		err_set(err, "this kernel has no IPVS: load the module ip_vs on the host "
		             "(modprobe ip_vs) or boot a kernel with CONFIG_IP_VS");
	else
		err_set(err, "look for IPVS in the kernel: %s",
		        nlsock_strerror(&b->sock, rc, text, sizeof(text)));
	ipvs_release(b);
	return -1;
}

void ipvs_release(struct ipvs *b)
{
	cut_release(&b->cut);
	nlsock_release(&b->sock);
}

static void on_service(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	(void)hdr;
	ipvs_decode_service(body, ctx);
}

/* svc->addr names it and is left unset when there is no such service. */
static int get_service(struct ipvs *b, const struct addr *vs, struct ipvs_service *svc,
                       struct err *err)
{
	struct ipvs_service key = {.addr = *vs};
	struct nlmsg m;
	int rc;

	*svc = (struct ipvs_service){0};
	ipvs_encode_service(&m, b->family, IPVS_CMD_GET_SERVICE, &key, false);
	rc = nlsock_ask(&b->sock, &m, on_service, svc);
	if (rc == -ESRCH)
		return 0;
	if (rc < 0)
		return failed(b, rc, err, "read virtual server", vs);
	if (!addr_eq(&svc->addr, vs))
		return failed(b, -EBADMSG, err, "read virtual server", vs);
	return 0;
}

struct dests {
	int family;
	struct ipvs_dest dest[DESTS_MAX];
	size_t n;
};

static void on_dest(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct dests *d = ctx;

	(void)hdr;
	if (d->n < DESTS_MAX && ipvs_decode_dest(body, d->family, &d->dest[d->n]))
		d->n++;
}

static int get_dests(struct ipvs *b, const struct addr *vs, struct dests *d, struct err *err)
{
	struct nlmsg m;
	int rc = -EINTR;

	for (int i = 0; i < DUMP_TRIES && rc == -EINTR; i++) {
		*d = (struct dests){.family = vs->family};
		ipvs_encode_dest(&m, b->family, IPVS_CMD_GET_DEST, vs, NULL, false);
		rc = nlsock_ask(&b->sock, &m, on_dest, d);
	}
	return rc == 0 ? 0 : failed(b, rc, err, "read real servers of", vs);
}

/* Adds or changes; which of both it has to be may turn out to be the other one meanwhile. */
static int put_service(struct ipvs *b, const struct ipvs_service *svc, uint8_t cmd, struct err *err)
{
	struct nlmsg m;
	int rc;

	ipvs_encode_service(&m, b->family, cmd, svc, true);
	rc = nlsock_ask(&b->sock, &m, NULL, NULL);
	if (rc == -EEXIST && cmd == IPVS_CMD_NEW_SERVICE)
		return put_service(b, svc, IPVS_CMD_SET_SERVICE, err);
	b->scheduler_missing = rc == -ENOENT;
	if (rc == -ENOENT) {
		char name[ADDR_STR_MAX];

		return err_set(
		    err, "virtual server %s: scheduler %s: this kernel has no module ip_vs_%s",
		    addr_str(&svc->addr, name), svc->scheduler, svc->scheduler);
	}
	return rc == 0 ? 0 : failed(b, rc, err, "write virtual server", &svc->addr);
}

static int put_dest(struct ipvs *b, const struct addr *vs, const struct rules_dest *want,
                    uint8_t cmd, struct err *err)
{
	struct ipvs_dest dest = {
	    .addr = want->addr, .method = IP_VS_CONN_F_MASQ, .weight = want->weight};
	struct nlmsg m;
	int rc;

	ipvs_encode_dest(&m, b->family, cmd, vs, &dest, true);
	rc = nlsock_ask(&b->sock, &m, NULL, NULL);
	if (rc == -EEXIST && cmd == IPVS_CMD_NEW_DEST)
		return put_dest(b, vs, want, IPVS_CMD_SET_DEST, err);
	return rc == 0 ? 0 : failed(b, rc, err, "write real server", &want->addr);
}

static int del_dest(struct ipvs *b, const struct addr *vs, const struct ipvs_dest *dest,
                    struct err *err)
{
	struct nlmsg m;
	int rc;

	ipvs_encode_dest(&m, b->family, IPVS_CMD_DEL_DEST, vs, dest, false);
	rc = nlsock_ask(&b->sock, &m, NULL, NULL);
	return rc == 0 || rc == -ENOENT || rc == -ESRCH
	           ? 0
	           : failed(b, rc, err, "remove real server", &dest->addr);
}

/* Some kernels are built with rr alone. It knows no weights but 0, which is what draining needs. */
static int put_service_or_rr(struct ipvs *b, struct ipvs_service *svc, uint8_t cmd,
                             struct events *ev, struct err *err)
{
	struct err no_wrr = {0};

	if (strcmp(svc->scheduler, "wrr") != 0)
		return put_service(b, svc, cmd, err);
	if (put_service(b, svc, cmd, &no_wrr) == 0)
		return 0;
	if (!b->scheduler_missing) {
		*err = no_wrr;
		return -1;
	}
	snprintf(svc->scheduler, sizeof(svc->scheduler), "rr");
	if (put_service(b, svc, cmd, err) < 0) {
		*err = no_wrr; /* the one that was asked for */
		return -1;
	}
	b->no_wrr = true;
	event(ev, LOG_LVL_WARN, "%s; with rr each real server gets the same share", no_wrr.msg);
	return 0;
}

static void append(struct strbuf *batch, const struct nlmsg *m)
{
	struct nlmsghdr hdr;

	memcpy(&hdr, m->data, sizeof(hdr));
	hdr.nlmsg_flags |= NLM_F_REQUEST;
	strbuf_add(batch, &hdr, sizeof(hdr));
	strbuf_add(batch, m->data + sizeof(hdr), m->len - sizeof(hdr));
}

/*
 * Adds the service and its real servers by one datagram, which the kernel works through before we
 * run again: a service that has no real server refuses connections (ICMP port unreachable). -1:
 * something of it was refused.
 */
static int add_all(struct ipvs *b, const struct rules *rules, const struct ipvs_service *svc)
{
	const struct nlmsghdr end = {
	    .nlmsg_len = sizeof(end), .nlmsg_type = NLMSG_NOOP, .nlmsg_flags = NLM_F_REQUEST};
	auto_strbuf batch = {0};
	struct nlmsg m;
	uint32_t refused;

	ipvs_encode_service(&m, b->family, IPVS_CMD_NEW_SERVICE, svc, true);
	append(&batch, &m);
	for (size_t i = 0; i < rules->n; i++) {
		struct ipvs_dest dest = {.addr = rules->dest[i].addr,
		                         .method = IP_VS_CONN_F_MASQ,
		                         .weight = rules->dest[i].weight};

		ipvs_encode_dest(&m, b->family, IPVS_CMD_NEW_DEST, &rules->vs, &dest, true);
		append(&batch, &m);
	}
	strbuf_add(&batch, &end, sizeof(end));
	return nlsock_commit(&b->sock, &batch, &refused);
}

static void tell_added(const struct rules *rules, const struct ipvs_service *svc, struct events *ev)
{
	char name[ADDR_STR_MAX];

	ev->changed[CHANGE_VIRTUAL_SERVER]++;
	event(ev, LOG_LVL_INFO, "virtual server %s added, scheduler %s", addr_str(&rules->vs, name),
	      svc->scheduler);
	for (size_t i = 0; i < rules->n; i++) {
		ev->changed[CHANGE_REAL_SERVER]++;
		event(ev, LOG_LVL_INFO, "real server %s added, weight %u",
		      addr_str(&rules->dest[i].addr, name), rules->dest[i].weight);
	}
}

static int apply_service(struct ipvs *b, const struct rules *rules, struct events *ev,
                         struct err *err)
{
	struct ipvs_service have, want = {.addr = rules->vs};
	bool rr = b->no_wrr && strcmp(rules->scheduler, "wrr") == 0;
	char name[ADDR_STR_MAX];

	want.netmask = rules->vs.family == AF_INET6 ? 128 : 0xffffffff;
	snprintf(want.scheduler, sizeof(want.scheduler), "%s", rr ? "rr" : rules->scheduler);
	if (get_service(b, &rules->vs, &have, err) < 0)
		return -1;
	addr_str(&rules->vs, name);
	if (!have.addr.family) {
		if (add_all(b, rules, &want) == 0) {
			tell_added(rules, &want, ev);
			return 0;
		}
		if (put_service_or_rr(b, &want, IPVS_CMD_NEW_SERVICE, ev, err) < 0)
			return -1;
		ev->changed[CHANGE_VIRTUAL_SERVER]++;
		event(ev, LOG_LVL_INFO, "virtual server %s added, scheduler %s", name,
		      want.scheduler);
		return 0;
	}
	/* the persistence timeout has no meaning without the flag, and kernels keep what was there
	 */
	if (strcmp(have.scheduler, want.scheduler) == 0 && have.flags == want.flags &&
	    have.netmask == want.netmask)
		return 0;
	rr = b->no_wrr;
	if (put_service_or_rr(b, &want, IPVS_CMD_SET_SERVICE, ev, err) < 0)
		return -1;
	if (b->no_wrr && !rr && strcmp(have.scheduler, want.scheduler) == 0 &&
	    have.flags == want.flags && have.netmask == want.netmask)
		return 0; /* as an earlier process left it */
	ev->changed[CHANGE_VIRTUAL_SERVER]++;
	event(ev, LOG_LVL_INFO,
	      "virtual server %s set back: scheduler %s (was %s), flags 0 (were %#x)", name,
	      want.scheduler, have.scheduler, have.flags);
	return 0;
}

static const struct ipvs_dest *find_dest(const struct dests *have, const struct addr *a)
{
	for (size_t i = 0; i < have->n; i++)
		if (addr_eq(&have->dest[i].addr, a))
			return &have->dest[i];
	return NULL;
}

static void expect_removal(struct ipvs *b, struct events *ev)
{
	if (b->sysctl)
		sysctl_expect_removal(b->sysctl, ev);
}

static int apply_dest(struct ipvs *b, const struct rules *rules, const struct rules_dest *want,
                      const struct ipvs_dest *have, struct events *ev, struct err *err)
{
	char name[ADDR_STR_MAX];

	addr_str(&want->addr, name);
	if (!have) {
		if (put_dest(b, &rules->vs, want, IPVS_CMD_NEW_DEST, err) < 0)
			return -1;
		ev->changed[CHANGE_REAL_SERVER]++;
		event(ev, LOG_LVL_INFO, "real server %s added, weight %u", name, want->weight);
		return 0;
	}
	if (have->weight == want->weight && have->method == IP_VS_CONN_F_MASQ && !have->upper &&
	    !have->lower)
		return 0;
	if (!want->weight)
		expect_removal(b, ev);
	if (put_dest(b, &rules->vs, want, IPVS_CMD_SET_DEST, err) < 0)
		return -1;
	ev->changed[CHANGE_REAL_SERVER]++;
	event(ev, LOG_LVL_INFO, "real server %s set to weight %u (was %u)", name, want->weight,
	      have->weight);
	return 0;
}

static bool to_be_removed(const struct rules *rules, const struct ipvs_dest *have)
{
	return !rules_have(rules, &have->addr);
}

/* Nobody is sent any more to the servers that are to be removed. */
static int drain_removed(struct ipvs *b, const struct rules *rules, const struct dests *have,
                         struct events *ev, struct err *err)
{
	for (size_t i = 0; i < have->n; i++) {
		struct rules_dest drained = {.addr = have->dest[i].addr};

		if (!to_be_removed(rules, &have->dest[i]) || !have->dest[i].weight)
			continue;
		expect_removal(b, ev);
		if (put_dest(b, &rules->vs, &drained, IPVS_CMD_SET_DEST, err) < 0)
			return -1;
	}
	return 0;
}

static int remove_dest(struct ipvs *b, const struct addr *vs, const struct ipvs_dest *dest,
                       struct events *ev, struct err *err)
{
	char name[ADDR_STR_MAX];
	size_t n;

	if ((dest->active || dest->inactive) && !cut_tracked(&b->cut, vs, &dest->addr))
		cut_collect(&b->cut, vs, &dest->addr, CUT_CONNS);
	expect_removal(b, ev);
	if (del_dest(b, vs, dest, err) < 0) {
		cut_release(&b->cut);
		return -1;
	}
	ev->changed[CHANGE_REAL_SERVER]++;
	event(ev, LOG_LVL_INFO, "real server %s removed", addr_str(&dest->addr, name));
	n = cut_run(&b->cut);
	if (n)
		event(ev, LOG_LVL_INFO, "%zu connections to %s cut", n, name);
	return 0;
}

int ipvs_apply(struct ipvs *b, const struct rules *rules, struct events *ev, struct err *err)
{
	struct dests have;

	if (apply_service(b, rules, ev, err) < 0 || get_dests(b, &rules->vs, &have, err) < 0)
		return -1;
	for (size_t i = 0; i < rules->n; i++) {
		const struct rules_dest *want = &rules->dest[i];

		if (apply_dest(b, rules, want, find_dest(&have, &want->addr), ev, err) < 0)
			return -1;
	}
	if (drain_removed(b, rules, &have, ev, err) < 0)
		return -1;
	for (size_t i = 0; i < have.n; i++)
		if (to_be_removed(rules, &have.dest[i]) &&
		    remove_dest(b, &rules->vs, &have.dest[i], ev, err) < 0)
			return -1;
	return 0;
}

int ipvs_remove(struct ipvs *b, const struct addr *vs, struct events *ev, struct err *err)
{
	struct ipvs_service key = {.addr = *vs};
	struct sysctl s = {.dir = sysctl_dir()};
	struct ipvs_service have;
	char name[ADDR_STR_MAX];
	struct nlmsg m;
	int rc;

	if (get_service(b, vs, &have, &(struct err){0}) == 0 && have.addr.family)
		sysctl_expect_removal(&s, ev);

	ipvs_encode_service(&m, b->family, IPVS_CMD_DEL_SERVICE, &key, false);
	rc = nlsock_ask(&b->sock, &m, NULL, NULL);
	if (rc == -ESRCH || rc == -ENOENT)
		return 0;
	if (rc < 0)
		return failed(b, rc, err, "remove virtual server", vs);
	event(ev, LOG_LVL_INFO, "virtual server %s removed", addr_str(vs, name));
	return 0;
}

int ipvs_read(struct ipvs *b, const struct addr *vs, struct rules_view *out, struct err *err)
{
	struct ipvs_service svc;
	struct dests dests;

	*out = (struct rules_view){0};
	if (get_service(b, vs, &svc, err) < 0)
		return -1;
	if (!svc.addr.family)
		return 0;
	if (get_dests(b, vs, &dests, err) < 0)
		return -1;
	out->vs = svc.addr;
	snprintf(out->scheduler, sizeof(out->scheduler), "%s", svc.scheduler);
	for (out->n = 0; out->n < dests.n; out->n++) {
		const struct ipvs_dest *d = &dests.dest[out->n];

		out->dest[out->n] = (struct rules_seen){.addr = d->addr,
		                                        .weight = d->weight,
		                                        .active = d->active,
		                                        .inactive = d->inactive};
	}
	return 0;
}

struct services {
	const struct addr *vs;
	struct addr *other;
	size_t cap, n;
	bool foreign;
};

static void on_other(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct services *s = ctx;
	struct ipvs_service svc;

	(void)hdr;
	if (!ipvs_decode_service(body, &svc)) /* one by firewall mark, for example */
		s->foreign = true;
	else if (!addr_eq(&svc.addr, s->vs) && s->n < s->cap)
		s->other[s->n++] = svc.addr;
	else if (!addr_eq(&svc.addr, s->vs))
		s->foreign = true;
}

int ipvs_others(struct ipvs *b, const struct addr *vs, struct addr *others, size_t cap, size_t *n,
                bool *foreign)
{
	struct services s = {.vs = vs, .other = others, .cap = cap};
	struct nlmsg m;
	int rc;

	ipvs_encode_list(&m, b->family);
	rc = nlsock_ask(&b->sock, &m, on_other, &s);
	*n = s.n;
	*foreign = s.foreign;
	return rc;
}

static void on_listed(void *ctx, const struct nlmsghdr *hdr, struct span body)
{
	struct addr *vs = ctx;
	struct ipvs_service svc;

	(void)hdr;
	if (!vs->port && ipvs_decode_service(body, &svc) && addr_same_host(&svc.addr, vs))
		vs->port = svc.addr.port;
}

bool ipvs_find_port(struct ipvs *b, struct addr *vs)
{
	struct nlmsg m;

	vs->port = 0;
	ipvs_encode_list(&m, b->family);
	nlsock_ask(&b->sock, &m, on_listed, vs);
	return vs->port;
}
