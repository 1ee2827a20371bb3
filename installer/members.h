// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct static_pods;

/*
 * What the cluster itself says on this machine (op "cluster"). Reads only; each question ends
 * within seconds. The members of the answer; what is not to be had is absent:
 *
 *   ours        false: nothing of ours is here, or a cluster that was made by other means
 *   etcd        {state,error,data_dir,members,self,cluster_id,quorum,asked,nodes}, see etcd.h
 *   apiserver   {state,version,error,local}; state is none, answers or unreachable
 *               local: that of this machine answered, not another behind the virtual IP
 *   nodes       [{name,address,version,ready,control_plane,self}]
 *   pods        running ones on this machine, when asked for
 *   kubelet     {version,running} of the process, else of the program that would be started
 *   containerd  {version,running}
 *   interrupted {verb,at} of a kubeadm run that began and did not end
 *   complete    with interrupted: kubeadm's last steps have left their objects
 *
 * The states of etcd:
 *
 *   none        no static pod of etcd and no data
 *   external    the API server uses etcd servers of the user's
 *   running     the local member answers
 *   data        data or a static pod is here, and the local member does not answer; with
 *               "members" when another member was asked instead (asked: others)
 *
 * nodes in etcd, with interrupted: of how many nodes it has a record; -1: not known.
 */
void members_collect(bool pods, json_t *out);

/* Has a data directory of etcd's a member in it? lost+found alone is none. */
bool members_etcd_data(const char *dir);
