// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct static_pods;

/*
 * What the cluster itself says on this machine (op "cluster"). Reads only; each question ends
 * within seconds.
 *   ours       false: nothing of ours is here, or a cluster that was made by other means
 *   etcd       {state,error,data_dir,members,self,cluster_id,quorum,asked}
 *              state: none      no static pod of etcd and no data
 *                     external  the API server uses etcd servers of the user's
 *                     running   the local member answers
 *                     data      data or a static pod is here, and the local member does not answer;
 *                               with "members" when another member was asked instead (asked:
 * others) apiserver  {state,version,error,local}  state: none, answers, unreachable; local: the one
 * of this machine answered, not another behind the virtual IP nodes
 * [{name,address,version,ready,control_plane,self}]; absent when not to be had pods       running
 * ones on this machine; absent when not to be had kubelet    {version,running}  of the process,
 * else of the program that would be started containerd {version,running} interrupted {verb,at} of a
 * kubeadm run that began and did not end; absent: none complete   with interrupted: kubeadm's last
 * steps have left their objects in the cluster
 */
void members_collect(json_t *out);

/* Has a data directory of etcd's a member in it? lost+found alone is none. */
bool members_etcd_data(const char *dir);
