// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/*
 * Why a cluster does not get ready: pure functions over Kubernetes objects as `kubectl get -o json`
 * prints them. Only pods that a cluster needs to be ready are judged: the control plane's and
 * lvscare's static pods, kube-proxy, CoreDNS and flannel. Pods of users never are.
 *
 * A problem is an object:
 *   kind       "pod", "node" or "control-plane"
 *   namespace, name, node, container
 *   reason     Kubernetes' own word: CrashLoopBackOff, DiskPressure, Unschedulable ...
 *   message    what Kubernetes says about it
 *   exit       "exit code 1" or "killed by signal 9 (OOMKilled)", of the last run; or ""
 *   restarts   of the container
 *   run_s      seconds that its last run took; -1: unknown
 *   age_s      seconds since the object was created, or the node's condition changed
 *   rank       causes have lower numbers than what follows from them
 *   blocks     the cluster is not ready as long as this is so
 *   final      does not get better by itself once it has lasted (ready.h)
 *   last_log   the container's last telling line, or why it could not be read
 *   look       the command that shows more
 */

/*
 * {name,address,addresses,version,ready,control_plane,reason,message,conditions} of a Node: reason
 * and message are those of its condition Ready, conditions those that are at fault, [{type,reason,
 * message}]. The caller owns it.
 */
json_t *diagnose_node(const json_t *node);

/* Appends the problems of a Node, of the Pods among items. now is the node's wall clock. */
void diagnose_node_problems(const json_t *node, time_t now, json_t *problems);
void diagnose_pod_problems(const json_t *items, time_t now, json_t *problems);

/* "AVAILABLE/WANTED" of Deployment kube-system/coredns among items; "" when it is not there. */
void diagnose_coredns(const json_t *items, char out[static 24]);

/* Gives each problem that has no message of its own that of the newest Warning event about it. */
void diagnose_add_events(const json_t *items, json_t *problems);

/* Sorts: by rank, final ones first, then by name. */
void diagnose_sort(json_t *problems);

/* Whether the log of the problem's container should be read; *previous: that of its last run. */
bool diagnose_wants_log(const json_t *problem, bool *previous);

/* The line of a log to quote: its last error, else its last line; without the time stamp, at most
 * 240 bytes. The caller owns it. */
char *diagnose_last_line(const char *text, size_t len);

/*
 * The last error of the newest container of a control plane's static pod ("etcd") by its log below
 * dir (/var/log/pods), for when no API server tells. NULL: none, or older than three minutes. The
 * caller owns it.
 */
char *diagnose_static_pod_log(const char *dir, const char *component, time_t now);

/* Is the text what the kubelet answers for a container that has been removed, and no log? */
bool diagnose_is_no_log(const char *text);

/* The sentence in what kubectl printed on stderr: its last line that is no log line of kubectl. */
char *diagnose_kubectl_error(const char *text);
