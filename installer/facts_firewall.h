// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* What the packet filter of this network namespace holds, of either kind. */
struct firewall {
	json_t *refusing; /* [{family,table,chain,hook,by,legacy}]: base chains at input or forward
	                   * that refuse what no rule before has accepted; by: "rule" or "policy" */
	json_t *networks; /* IPv4 networks that rules compare sources or destinations with */
	json_t *chains;   /* chains of Kubernetes and its networks */
	json_t *names;    /* tables and chains by which firewalld and ufw are known */
};

/* From nf_tables, over netlink; nothing when the kernel has none. */
void firewall_nft(struct firewall *f);
/* From ip_tables ("legacy"), IPv4; only tables that are loaded already. */
void firewall_legacy(struct firewall *f);

/* One base chain that refuses. */
void firewall_refusing(struct firewall *f, const char *family, const char *table, const char *chain,
                       const char *hook, const char *by, bool legacy);
/* A chain's or table's name: noted when it tells something. */
void firewall_name(struct firewall *f, const char *name);
