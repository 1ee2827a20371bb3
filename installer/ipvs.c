// SPDX-License-Identifier: Apache-2.0
/*
 * Generic netlink (linux/genetlink.h), family "IPVS" (linux/ip_vs.h): a message is a netlink
 * header, four bytes of command and version, then attributes, each with its length and type and
 * padded to four bytes. A dump is several messages up to NLMSG_DONE.
 */
#include "ipvs.h"

#include "clear.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "net.h"
#include "strbuf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_S 5
#define ANSWER   (64u << 10)
#define WHAT     "virtual services of kube-proxy (ipvs)"
#define DEVICE   "kube-ipvs0"
#define MESSAGE  256

/* ---- attributes ---- */

struct attr {
	uint16_t type;
	const uint8_t *data;
	size_t len;
};

/* The next attribute; false at the end or when the rest is cut off. */
static bool next_attr(const uint8_t **p, size_t *left, struct attr *out)
{
	struct nlattr head;
	size_t step;

	if (*left < sizeof(head))
		return false;
	memcpy(&head, *p, sizeof(head));
	if (head.nla_len < sizeof(head) || head.nla_len > *left)
		return false;
	*out = (struct attr){head.nla_type & NLA_TYPE_MASK, *p + sizeof(head),
	                     head.nla_len - sizeof(head)};
	step = NLA_ALIGN(head.nla_len);
	step = step > *left ? *left : step;
	*p += step;
	*left -= step;
	return true;
}

static void take_u16(const struct attr *a, uint16_t *out)
{
	if (a->len >= sizeof(*out))
		memcpy(out, a->data, sizeof(*out));
}

static void take_field(const struct attr *a, struct ipvs_service *s)
{
	size_t n = a->len < sizeof(s->addr) ? a->len : sizeof(s->addr);

	switch (a->type) {
	case IPVS_SVC_ATTR_AF:
		take_u16(a, &s->family);
		break;
	case IPVS_SVC_ATTR_PROTOCOL:
		take_u16(a, &s->protocol);
		break;
	case IPVS_SVC_ATTR_PORT:
		take_u16(a, &s->port);
		s->port = ntohs(s->port);
		break;
	case IPVS_SVC_ATTR_ADDR:
		memcpy(s->addr, a->data, n);
		break;
	case IPVS_SVC_ATTR_FWMARK:
		s->fwmark = true;
		break;
	default:
		break;
	}
}

bool ipvs_parse_service(const void *attrs, size_t len, struct ipvs_service *out)
{
	const uint8_t *p = attrs;
	struct attr a, inner;

	*out = (struct ipvs_service){0};
	while (next_attr(&p, &len, &a)) {
		const uint8_t *q = a.data;
		size_t left = a.len;

		if (a.type != IPVS_CMD_ATTR_SERVICE)
			continue;
		while (next_attr(&q, &left, &inner))
			take_field(&inner, out);
		return out->family == AF_INET || out->family == AF_INET6;
	}
	return false;
}

bool ipvs_is_kube_proxys(const struct ipvs_service *s, const struct strlist *cluster,
                         const struct strlist *own, const struct strlist *node_ports)
{
	char text[INET6_ADDRSTRLEN] = "", port[8];

	if (s->fwmark || !inet_ntop(s->family, s->addr, text, sizeof(text)))
		return false;
	snprintf(port, sizeof(port), "%u", s->port);
	return strlist_has(cluster, text) ||
	       (strlist_has(own, text) && strlist_has(node_ports, port));
}

/* ---- messages ---- */

struct message {
	union {
		struct nlmsghdr head;
		uint8_t bytes[MESSAGE];
	};
};

static void begin(struct message *m, uint16_t family, uint8_t cmd, uint8_t version, uint16_t flags)
{
	struct genlmsghdr g = {.cmd = cmd, .version = version};

	*m = (struct message){.head = {.nlmsg_len = NLMSG_LENGTH(sizeof(g)),
	                               .nlmsg_type = family,
	                               .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)}};
	memcpy(m->bytes + NLMSG_HDRLEN, &g, sizeof(g));
}

static void add_attr(struct message *m, uint16_t type, const void *data, size_t len)
{
	struct nlattr a = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};
	uint8_t *p = m->bytes + m->head.nlmsg_len;

	memcpy(p, &a, sizeof(a));
	memcpy(p + NLA_HDRLEN, data, len);
	m->head.nlmsg_len += (uint32_t)NLA_ALIGN(a.nla_len);
}

/* What identifies a service, in one nested attribute. */
static void add_service(struct message *m, const struct ipvs_service *s)
{
	uint32_t at = m->head.nlmsg_len;
	uint16_t port = htons(s->port);
	struct nlattr a = {.nla_type = IPVS_CMD_ATTR_SERVICE | NLA_F_NESTED};

	m->head.nlmsg_len += NLA_HDRLEN;
	add_attr(m, IPVS_SVC_ATTR_AF, &s->family, sizeof(s->family));
	add_attr(m, IPVS_SVC_ATTR_PROTOCOL, &s->protocol, sizeof(s->protocol));
	add_attr(m, IPVS_SVC_ATTR_ADDR, s->addr, sizeof(s->addr));
	add_attr(m, IPVS_SVC_ATTR_PORT, &port, sizeof(port));
	a.nla_len = (uint16_t)(m->head.nlmsg_len - at);
	memcpy(m->bytes + at, &a, sizeof(a));
}

typedef void on_message(void *ctx, const struct nlmsghdr *h, const uint8_t *attrs, size_t len);

/* One received buffer. 1: more is to come, 0: the end, -1 with errno. */
static int take(const uint8_t *buf, size_t len, on_message *fn, void *ctx)
{
	size_t skip = NLMSG_LENGTH(sizeof(struct genlmsghdr));

	while (len >= NLMSG_HDRLEN) {
		struct nlmsghdr h;
		int code = 0;
		size_t step;

		memcpy(&h, buf, sizeof(h));
		if (h.nlmsg_len < NLMSG_HDRLEN || h.nlmsg_len > len)
			break;
		if (h.nlmsg_type == NLMSG_DONE)
			return 0;
		if (h.nlmsg_type == NLMSG_ERROR) {
			if (h.nlmsg_len >= NLMSG_LENGTH(sizeof(code)))
				memcpy(&code, buf + NLMSG_HDRLEN, sizeof(code));
			errno = -code;
			return code ? -1 : 0;
		}
		if (fn && h.nlmsg_len >= skip)
			fn(ctx, &h, buf + skip, h.nlmsg_len - skip);
		step = NLMSG_ALIGN(h.nlmsg_len);
		step = step > len ? len : step;
		buf += step;
		len -= step;
	}
	return 1;
}

/* Sends and waits for the answer's end: NLMSG_DONE or an acknowledgement. -1 with errno. */
static int ask(int fd, struct message *m, on_message *fn, void *ctx)
{
	auto_free uint8_t *buf = xmalloc(ANSWER);
	int r = 1;

	if (send(fd, m->bytes, m->head.nlmsg_len, 0) < 0)
		return -1;
	while (r > 0) {
		ssize_t n = recv(fd, buf, ANSWER, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		r = take(buf, (size_t)n, fn, ctx);
	}
	return r;
}

/* ---- what is there ---- */

static void on_family(void *ctx, const struct nlmsghdr *h, const uint8_t *attrs, size_t len)
{
	struct attr a;

	(void)h;
	while (next_attr(&attrs, &len, &a))
		if (a.type == CTRL_ATTR_FAMILY_ID)
			take_u16(&a, ctx);
}

/* 0: the kernel has no IPVS. */
static uint16_t find_family(int fd)
{
	struct message m;
	uint16_t family = 0;

	begin(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, NLM_F_ACK);
	add_attr(&m, CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME, sizeof(IPVS_GENL_NAME));
	return ask(fd, &m, on_family, &family) < 0 ? 0 : family;
}

struct services {
	struct ipvs_service *v;
	size_t n;
};

static void on_service(void *ctx, const struct nlmsghdr *h, const uint8_t *attrs, size_t len)
{
	struct services *all = ctx;
	struct ipvs_service s;

	(void)h;
	if (!ipvs_parse_service(attrs, len, &s))
		return;
	all->v = xreallocarray(all->v, all->n + 1, sizeof(s));
	all->v[all->n++] = s;
}

/* Addresses on kube-ipvs0, and those on all other devices. */
static void find_addresses(struct strlist *cluster, struct strlist *own)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		return;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct strlist *to = strcmp(i->ifa_name, DEVICE) == 0 ? cluster : own;
		struct addr a;
		char text[ADDR_STR_MAX];

		if (addr_from_sockaddr(i->ifa_addr, &a))
			strlist_add(to, addr_host(&a, text));
	}
	freeifaddrs(all);
}

static int delete_service(int fd, uint16_t family, const struct ipvs_service *s)
{
	struct message m;

	begin(&m, family, IPVS_CMD_DEL_SERVICE, IPVS_GENL_VERSION, NLM_F_ACK);
	add_service(&m, s);
	return ask(fd, &m, NULL, NULL);
}

static void remove_services(int fd, uint16_t family, const struct strlist *node_ports,
                            struct clear_report *r)
{
	auto_strlist cluster = {0}, own = {0};
	struct services all = {0};
	struct message m;
	size_t gone = 0;

	find_addresses(&cluster, &own);
	begin(&m, family, IPVS_CMD_GET_SERVICE, IPVS_GENL_VERSION, NLM_F_DUMP);
	if (ask(fd, &m, on_service, &all) < 0)
		clear_failed(r, WHAT, "they cannot be listed: %s", strerror(errno));
	for (size_t i = 0; i < all.n; i++) {
		if (!ipvs_is_kube_proxys(&all.v[i], &cluster, &own, node_ports))
			continue;
		if (delete_service(fd, family, &all.v[i]) < 0 && errno != ESRCH)
			clear_failed(r, WHAT, "%s", strerror(errno));
		else
			gone++;
	}
	if (gone)
		clear_removed(r, WHAT);
	free(all.v);
}

void ipvs_remove(const struct strlist *node_ports, struct clear_report *r)
{
	const struct timeval limit = {.tv_sec = ANSWER_S};
	auto_close int fd = -1;
	uint16_t family;

	if (!fs_exists("/sys/class/net/" DEVICE)) /* kube-proxy was not in its ipvs mode */
		return;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0) {
		clear_failed(r, WHAT, "%s", strerror(errno));
		return;
	}
	family = find_family(fd);
	if (family)
		remove_services(fd, family, node_ports, r);
}
