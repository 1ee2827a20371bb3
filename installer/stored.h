// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>

struct err;

/* The ClusterConfiguration that kubeadm stored in the cluster, read on a master. The caller's; NULL
 * on failure. */
json_t *stored_cluster_configuration(struct err *err);
