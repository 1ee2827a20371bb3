// SPDX-License-Identifier: Apache-2.0
#include "ipvsmsg.h"

#include "genl.h"

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <string.h>

/* Both address and port; the kernel's own form has 16 bytes for either family. */
static void put_addr(struct nlmsg *m, uint16_t addr_type, uint16_t port_type, const struct addr *a)
{
	uint8_t bytes[16] = {0};

	memcpy(bytes, a->bytes, addr_len(a));
	nlmsg_put(m, addr_type, bytes, sizeof(bytes));
	nlmsg_put_u16(m, port_type, htons(a->port));
}

static void put_service_id(struct nlmsg *m, const struct addr *vs)
{
	nlmsg_put_u16(m, IPVS_SVC_ATTR_AF, (uint16_t)vs->family);
	nlmsg_put_u16(m, IPVS_SVC_ATTR_PROTOCOL, IPPROTO_TCP);
	put_addr(m, IPVS_SVC_ATTR_ADDR, IPVS_SVC_ATTR_PORT, vs);
}

void ipvs_encode_service(struct nlmsg *m, uint16_t family, uint8_t cmd,
                         const struct ipvs_service *svc, bool full)
{
	struct ip_vs_flags flags = {.flags = svc->flags, .mask = ~0u};
	size_t nest;

	genl_begin(m, family, cmd, IPVS_GENL_VERSION, 0);
	nest = nlmsg_nest(m, IPVS_CMD_ATTR_SERVICE);
	put_service_id(m, &svc->addr);
	if (full) {
		nlmsg_put_str(m, IPVS_SVC_ATTR_SCHED_NAME, svc->scheduler);
		nlmsg_put(m, IPVS_SVC_ATTR_FLAGS, &flags, sizeof(flags));
		nlmsg_put_u32(m, IPVS_SVC_ATTR_TIMEOUT, svc->timeout);
		nlmsg_put_u32(m, IPVS_SVC_ATTR_NETMASK, svc->netmask);
	}
	nlmsg_end(m, nest);
}

void ipvs_encode_list(struct nlmsg *m, uint16_t family)
{
	genl_begin(m, family, IPVS_CMD_GET_SERVICE, IPVS_GENL_VERSION, NLM_F_DUMP);
}

void ipvs_encode_dest(struct nlmsg *m, uint16_t family, uint8_t cmd, const struct addr *vs,
                      const struct ipvs_dest *dest, bool full)
{
	size_t nest;

	genl_begin(m, family, cmd, IPVS_GENL_VERSION, dest ? 0 : NLM_F_DUMP);
	nest = nlmsg_nest(m, IPVS_CMD_ATTR_SERVICE);
	put_service_id(m, vs);
	nlmsg_end(m, nest);
	if (!dest)
		return;
	nest = nlmsg_nest(m, IPVS_CMD_ATTR_DEST);
	put_addr(m, IPVS_DEST_ATTR_ADDR, IPVS_DEST_ATTR_PORT, &dest->addr);
	if (full) {
		nlmsg_put_u32(m, IPVS_DEST_ATTR_FWD_METHOD, dest->method);
		nlmsg_put_u32(m, IPVS_DEST_ATTR_WEIGHT, dest->weight);
		nlmsg_put_u32(m, IPVS_DEST_ATTR_U_THRESH, dest->upper);
		nlmsg_put_u32(m, IPVS_DEST_ATTR_L_THRESH, dest->lower);
	}
	nlmsg_end(m, nest);
}

static bool get_addr(struct span addr, struct span port, int family, struct addr *out)
{
	*out = (struct addr){.family = family};
	if ((family != AF_INET && family != AF_INET6) || !addr.p || addr.len < addr_len(out))
		return false;
	memcpy(out->bytes, addr.p, addr_len(out));
	return attr_be16(port, &out->port);
}

/* The attributes of the one nested attribute that an answer's body holds. */
static bool nested(struct span body, uint16_t which, struct span *tb, size_t n)
{
	struct span top[IPVS_CMD_ATTR_MAX + 1];

	if (!span_take(&body, NULL, sizeof(struct genlmsghdr)))
		return false;
	attr_table(body, top, IPVS_CMD_ATTR_MAX + 1);
	attr_table(top[which], tb, n);
	return top[which].p != NULL;
}

bool ipvs_decode_service(struct span body, struct ipvs_service *out)
{
	struct span tb[IPVS_SVC_ATTR_MAX + 1];
	struct ip_vs_flags flags = {0};
	uint16_t family, protocol;

	*out = (struct ipvs_service){0};
	if (!nested(body, IPVS_CMD_ATTR_SERVICE, tb, IPVS_SVC_ATTR_MAX + 1))
		return false;
	if (!attr_u16(tb[IPVS_SVC_ATTR_AF], &family) ||
	    !attr_u16(tb[IPVS_SVC_ATTR_PROTOCOL], &protocol) || protocol != IPPROTO_TCP)
		return false;
	if (!get_addr(tb[IPVS_SVC_ATTR_ADDR], tb[IPVS_SVC_ATTR_PORT], family, &out->addr))
		return false;
	attr_str(tb[IPVS_SVC_ATTR_SCHED_NAME], out->scheduler, sizeof(out->scheduler));
	if (tb[IPVS_SVC_ATTR_FLAGS].p && tb[IPVS_SVC_ATTR_FLAGS].len >= sizeof(flags))
		memcpy(&flags, tb[IPVS_SVC_ATTR_FLAGS].p, sizeof(flags));
	out->flags = flags.flags & ~(uint32_t)IP_VS_SVC_F_HASHED;
	attr_u32(tb[IPVS_SVC_ATTR_TIMEOUT], &out->timeout);
	attr_u32(tb[IPVS_SVC_ATTR_NETMASK], &out->netmask);
	return true;
}

bool ipvs_decode_dest(struct span body, int vs_family, struct ipvs_dest *out)
{
	struct span tb[IPVS_DEST_ATTR_MAX + 1];
	uint16_t family;

	*out = (struct ipvs_dest){0};
	if (!nested(body, IPVS_CMD_ATTR_DEST, tb, IPVS_DEST_ATTR_MAX + 1))
		return false;
	if (!attr_u16(tb[IPVS_DEST_ATTR_ADDR_FAMILY], &family) || family == AF_UNSPEC)
		family = (uint16_t)vs_family;
	if (!get_addr(tb[IPVS_DEST_ATTR_ADDR], tb[IPVS_DEST_ATTR_PORT], family, &out->addr))
		return false;
	attr_u32(tb[IPVS_DEST_ATTR_FWD_METHOD], &out->method);
	out->method &= IP_VS_CONN_F_FWD_MASK;
	attr_u32(tb[IPVS_DEST_ATTR_WEIGHT], &out->weight);
	attr_u32(tb[IPVS_DEST_ATTR_U_THRESH], &out->upper);
	attr_u32(tb[IPVS_DEST_ATTR_L_THRESH], &out->lower);
	attr_u32(tb[IPVS_DEST_ATTR_ACTIVE_CONNS], &out->active);
	attr_u32(tb[IPVS_DEST_ATTR_INACT_CONNS], &out->inactive);
	return true;
}
