// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct err;

/*
 * The members of flannel's net-conf.json that say which addresses pods get, as they stand in the
 * bundle's manifest in the place of ADDONS_NETWORK. pod_cidr: one network, or one of each family
 * with a comma between them. nftables: flannel makes its packet filter rules by nf_tables, for
 * kernels without xt_*. The caller's; NULL with err for anything else.
 */
char *addons_network(const char *pod_cidr, bool nftables, struct err *err);

/*
 * Is the network's manifest to be applied again: the cluster was begun on the node of this state,
 * with our network, by another bundle than the one with this index?
 */
bool addons_due(const json_t *state, const char *index);
/* A manifest without its ConfigMaps, which users may have changed in the cluster; the caller's. */
char *addons_without_settings(const char *manifest);

#define ADDONS_NETWORK "\"Network\": \"10.244.0.0/16\""
