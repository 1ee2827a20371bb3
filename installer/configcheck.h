// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>

struct cluster_config;
struct err;
struct strlist;

/*
 * What the user's kubeadm documents cannot mean, by document and field, one sentence for each: a
 * value of one machine that would be given to all, values that contradict the bundle, a form that
 * this kubeadm does not read, and fields that these steps would drop. c needs user, k8s_version,
 * own_network and joining. masters and workers: the machines of this run; both 0: not known.
 * What kubeadm itself finds wrong with a document is left to kubeadm (validate.h).
 */
void configcheck(const struct cluster_config *c, size_t masters, size_t workers,
                 struct strlist *findings);

/* 0 without findings. Else an EXIT_USAGE failure: the finding, or all of them, one to a line on
 * stderr, and their number. */
int configcheck_refuse(const struct strlist *findings, struct err *err);
