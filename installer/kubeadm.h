// SPDX-License-Identifier: Apache-2.0
#pragma once

struct err;
struct node;
struct strlist;

/*
 * Runs argv, a kubeadm, for at most timeout_s seconds. What it prints goes without the secrets to
 * DIR_STATE/kubeadm.log; its phases are reported as "kubeadm VERB [phase]"; a failure quotes its
 * last lines.
 */
int kubeadm_run(struct node *n, const char *verb, const char *const argv[],
                const struct strlist *secrets, int timeout_s, struct err *err);
