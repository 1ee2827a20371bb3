/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "net.h"
#include "nlmsg.h"

#include <linux/ip_vs.h>

/*
 * IPVS requests and answers as bytes (linux/ip_vs.h, generic netlink family "IPVS", version 1).
 * Services are TCP and known by address and port; those known by a firewall mark are never ours.
 */
struct ipvs_service {
	struct addr addr;
	char scheduler[IP_VS_SCHEDNAME_MAXLEN];
	uint32_t flags;   /* IP_VS_SVC_F_*, without the kernel's own IP_VS_SVC_F_HASHED */
	uint32_t timeout; /* of persistence, seconds */
	uint32_t netmask; /* of persistence: as in memory for IPv4, prefix length for IPv6 */
};

struct ipvs_dest {
	struct addr addr;
	uint32_t method; /* IP_VS_CONN_F_MASQ and so on, without other connection flags */
	uint32_t weight;
	uint32_t upper, lower;     /* connection thresholds, 0: none */
	uint32_t active, inactive; /* connections, as the kernel counts them; told, never written */
};

/* full: everything about the service (NEW, SET), else only what identifies it (GET, DEL). */
void ipvs_encode_service(struct nlmsg *m, uint16_t family, uint8_t cmd,
                         const struct ipvs_service *svc, bool full);
/* Asks for all services. */
void ipvs_encode_list(struct nlmsg *m, uint16_t family);
/* A destination of the service at vs; dest NULL asks for the dump of all of them. */
void ipvs_encode_dest(struct nlmsg *m, uint16_t family, uint8_t cmd, const struct addr *vs,
                      const struct ipvs_dest *dest, bool full);

/* One service or destination out of a message's body; false when it is none we understand. */
bool ipvs_decode_service(struct span body, struct ipvs_service *out);
/* vs_family: the service's, for kernels before 3.18 that do not say the destination's. */
bool ipvs_decode_dest(struct span body, int vs_family, struct ipvs_dest *out);
