// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>

struct cluster_config;
struct strlist;

/*
 * The user's documents for a cluster that exists: what they say of all of it must be what it has.
 * living: an array of its ClusterConfiguration, KubeletConfiguration and KubeProxyConfiguration
 * (op "configuration"). The virtual IP and the networks of options are compared too. Each value
 * that differs gives a finding by document and field; a value that the user left out, and one that
 * is empty, agrees with everything.
 */
void agreement_check(const struct cluster_config *c, const json_t *living,
                     struct strlist *findings);
