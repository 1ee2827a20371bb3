// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>

struct err;

/*
 * What was done on this node: DIR_STATE/state.json (0600, replaced atomically), and beside it the
 * journal, one line per step with its time. Members of the state:
 *   bundle   digest of the index whose files are in place     k8s    its Kubernetes version
 *   images   digest of the index whose images are imported    role   "control-plane" or "worker"
 *   kubeadm  "init-started", "init", "join-started", "join"   sysctl values before we came
 *   network  "flannel" or "none": given to the cluster that this node began
 *   absent   directories that were not there before us
 *   kubeconfig {path,digest} that we wrote                    cluster {masters,nodes,vip,...}
 */
json_t *state_load(void); /* never NULL; empty when there is none */
/* Changes one member (takes over value; NULL removes it) and writes the file. */
int state_set(const char *key, json_t *value, struct err *err);
int state_set_string(const char *key, const char *value, struct err *err);
/* Borrowed from state; "" when absent. */
const char *state_string(const json_t *state, const char *key);

void journal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
