// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>

struct bundle;
struct cluster_config;
struct digest;
struct err;
struct strlist;

/*
 * The user's documents, completed as they will be given to kubeadm, judged by the bundle's own
 * kubeadm (`kubeadm config validate`) on this machine. What it warns of is appended to warnings.
 * Returns 0 when they are valid or there are none, 1 when that kubeadm cannot run here (err says
 * why: then the op "validate" does it on a node), -1 when they are not (EXIT_USAGE, its own words).
 */
int config_validate(const struct cluster_config *c, const struct bundle *b,
                    struct strlist *warnings, struct err *err);

/* The arguments of the op "validate", {docs,index}: that bundle must be staged. The caller's. */
json_t *config_validate_args(const struct cluster_config *c, const struct digest *index);
