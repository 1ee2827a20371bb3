// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct static_pods;

/*
 * What the cluster itself says on this machine (op "cluster"). Reads only; each question ends
 * within seconds. Members of out:
 *
 *   ours         false: nothing of ours is here, or a cluster that was made by other means
 *   etcd         {state,error,data_dir,db_bytes,members,self,cluster_id,quorum,asked}; state is
 *                "none"     no static pod of etcd and no data
 *                "external" the API server uses etcd servers of the user's
 *                "running"  the local member answers
 *                "data"     data or a static pod is here, and the local member does not answer;
 *                           with members when another member answered (asked: "others")
 *   apiserver    {state,version,error,local}; state is "none", "answers" or "unreachable"; local:
 *                it is the one of this machine, not another one behind the virtual IP
 *   nodes        [{name,address,version,ready,control_plane,drained,self}], drained: by upgrade;
 * pods: their number on this machine; both are missing when the API server does not answer kubelet
 * {version,running}: of the process, else of the program that would be started containerd
 * {version,running} interrupted  {verb,at} of a kubeadm run that began and did not end; complete:
 * kubeadm's last steps have left their objects in the cluster
 */
void members_collect(bool pods, json_t *out);

/* Has a data directory of etcd's a member in it? lost+found alone is none. */
bool members_etcd_data(const char *dir);
