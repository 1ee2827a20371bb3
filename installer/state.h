// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>

struct err;

/*
 * What was done on this node: DIR_STATE/state.json (0600, replaced atomically), with a copy in
 * state.json.bak; beside it the journal (journal.h). Members of the state:
 *   bundle   digest of the index whose files are active       k8s    its Kubernetes version
 *   images   digest of the index whose images are imported    role   "control-plane" or "worker"
 *   kubeadm  "init-started", "init", "join-started", "join"   sysctl values before us
 *   network  "flannel" or "none": given to the cluster that this node began
 *   control_plane  Kubernetes version to which this node was brought by kubeadm upgrade
 *   patches  directory of the user's patches of kubeadm's manifests
 *   network_index, network_manifest   digests of the bundle's index it came with, and of itself
 *   absent   directories that were not there before us
 *   kubeconfig {path,digest} that we wrote                    cluster {masters,nodes,vip,...}
 *   staged     {NAME:{index,run}}: unpacked versions and the run that unpacked them (stage.c)
 *   activation {index,name,role,before}: begun and not finished (activate.c)
 *   previous   what was active before, for deactivate (activate.c)
 */

/* *out is the caller's; an empty object when there is no state. A damaged file is replaced by its
 * copy in memory; when both are damaged that is a failure that names the way out. */
int state_read(json_t **out, struct err *err);
/* For places that cannot fail: never NULL. What state_read fails with is in the member "damaged",
 * so that such a machine never looks like one without state. */
json_t *state_load(void);
/* Removes temporary files of processes that were killed. */
void state_remove_leftovers(void);
/* Changes one member (takes over value; NULL removes it) and writes the file. A state that cannot
 * be read is not overwritten. */
int state_set(const char *key, json_t *value, struct err *err);
int state_set_string(const char *key, const char *value, struct err *err);
/* Changes several members at once; takes over members. A null removes its member. */
int state_merge(json_t *members, struct err *err);

/* One line of text with its time, see journal.h. */
void journal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
