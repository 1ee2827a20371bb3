// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

struct clear_report;
struct err;
struct node;
struct static_pods;

/* Did a reset begin and not come to its end? Its etcd member is not one any more. */
bool reset_has_begun(void);
/* For what is installed from now on. */
int reset_forget_begun(struct err *err);

/* Is anything of ours on this machine? A cluster that was made by other means is not. */
int reset_is_ours(void);

/*
 * Clears what a kubeadm run left that began and did not end: kubelet's and kubeadm's files and the
 * member of etcd on this machine. Files, images and containerd of the bundle stay. The caller has
 * decided that nothing is lost by it, or insists (cluster.h, half_run_decide): then also when the
 * member cannot leave etcd in order. init: certificate authorities stay. -1: something is still
 * there.
 */
int reset_unfinished(struct node *n, bool init, bool insist, struct err *err);

/* ---- reset_files.c ---- */

/* What kubeadm, kubelet and etcd wrote, where p says that it lies. keep_ca: certificate authorities
 * stay, which the user may have brought. */
void reset_kubernetes_files(const struct static_pods *p, bool keep_ca, struct clear_report *r);
/* Everything of ours but DIR_STATE. */
void reset_our_files(struct clear_report *r);
