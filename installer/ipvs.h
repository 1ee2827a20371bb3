// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clear_report;
struct strlist;

/*
 * kube-proxy's virtual services in its ipvs mode. Those of a cluster's services have their address
 * on the device kube-ipvs0; those of node ports have an address of this machine and a port that is
 * in one of kube-proxy's sets (rules.h). All others are the user's.
 */
struct ipvs_service {
	uint16_t family, protocol, port; /* port in host order */
	uint8_t addr[16];                /* network order; the first 4 for IPv4 */
	bool fwmark;                     /* known by a firewall mark: never kube-proxy's */
};

/* Removes them, before kube-ipvs0 is removed. What could not be removed is in r->failed. */
void ipvs_remove(const struct strlist *node_ports, struct clear_report *r);

/* One service out of the attributes of a generic netlink message of family IPVS
 * (linux/ip_vs.h). False when it is none, or is cut off. */
bool ipvs_parse_service(const void *attrs, size_t len, struct ipvs_service *out);

/* cluster: addresses on kube-ipvs0; own: of the machine; both as text. */
bool ipvs_is_kube_proxys(const struct ipvs_service *s, const struct strlist *cluster,
                         const struct strlist *own, const struct strlist *node_ports);
