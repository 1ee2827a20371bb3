// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "link.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* Where things lie on a node (docs/install.md, "What is put on a node"). */
#define DIR_OPT      "/opt/kubecask"
#define DIR_BLOBS    DIR_OPT "/blobs/sha256"
#define DIR_CURRENT  DIR_OPT "/current"
#define DIR_BIN      "/usr/local/bin"
#define DIR_STATE    "/var/lib/kubecask"
#define DIR_RUN      "/run/kubecask"
#define FILE_SELF    DIR_OPT "/bin/kubecask"
#define FILE_LOCK    "/run/kubecask.lock"
#define ADMIN_CONF   "/etc/kubernetes/admin.conf"
#define KUBELET_CONF "/etc/kubernetes/kubelet.conf"
/* For a node without any nameserver: CoreDNS refuses to start on an empty list. It names the
 * virtual IP, which is on every node and has nothing on port 53, so that questions end there at
 * once. */
#define RESOLV_CONF DIR_STATE "/resolv.conf"
#define CA_CERT     "/etc/kubernetes/pki/ca.crt"

/* The node's end of a connection (`kubecask node serve`): one controller, one request at a time. */
struct node {
	struct link link;
	pid_t attended_by; /* our process that talks to the controller (supervisor.h) */
	pid_t listener;    /* answers on ports for a test (ports_listen.c); 0: none */
	int lock;          /* held for as long as the process lives (lock.h); -1: not taken */
};

/* Reports what is being done; failures to write are noticed at the answer. */
void node_progress(struct node *n, const char *step, uint64_t now, uint64_t of);
/* One installer at a time: the second one fails at once, unless the first one's controller is gone
 * and only what it began comes to its end: that is waited for. */
int node_lock(struct node *n, struct err *err);
/*
 * To be called between two steps, where the machine is in a state that the repeated command can go
 * on from: -1 when the controller asked to stop or is gone. next names the step that is left out.
 */
int node_safe_point(const char *next, struct err *err);
/* The same question for loops. */
bool node_stop_requested(void);
/* Serves requests until the controller goes away. placed: the directory that this program was
 * placed in for this run, or NULL. token stands in the greeting. Returns the exit status. */
int node_serve(const char *placed, const char *token);

/* An operation: args is an object from outside, *result starts as an empty object. */
typedef int node_op(struct node *n, const json_t *args, json_t *result, struct err *err);

node_op op_facts;      /* what this machine is and has (facts.c) */
node_op op_listen;     /* {address,tcp,udp,nonce,seconds} -> {tcp,udp}; {stop} (ports_listen.c) */
node_op op_reach;      /* {targets:[{address,port,proto,nonce}]} -> {states} (ports_reach.c) */
node_op op_have;       /* {blobs:[digest]} -> {missing:[digest]} (store.c) */
node_op op_put;        /* {digest,size} + bytes */
node_op op_stage;      /* {index,role,run}: unpack beside what runs (stage.c) */
node_op op_unstage;    /* {index,run}: remove what that run unpacked, unless it is in use */
node_op op_activate;   /* {index,role}: units, settings, current, containerd (activate.c) */
node_op op_deactivate; /* {index}: as it was before its activation */
node_op op_images;     /* {index,role}: into containerd, pinned (images.c) */
node_op op_validate;   /* {docs,index}: kubeadm config validate, staged (validate.c) */
node_op op_init;       /* {docs:[...],masters:[...]}: kubeadm init (kubeadm.c) */
node_op op_join;       /* the same for kubeadm join, with the secrets */
node_op op_token;      /* {} -> {token,ca_hash,id} */
node_op op_certs;      /* {timeouts,endpoint} -> {key}: upload-certs with a fresh key */
node_op op_forget;     /* {token_id}: delete token and uploaded certificates */
node_op op_lvscare;    /* {masters,vip}: static pod with today's masters */
node_op op_configuration; /* {all} -> {docs}: what kubeadm stored in the cluster (stored.c) */
node_op op_snapshot;      /* {run} -> {file}: etcd's data, kept on this machine (upgrade.c) */
node_op op_upgrade;       /* {index,verb,emulate,keep_certificates}: the unpacked kubeadm's
                              upgrade apply, or node */
node_op op_kubelet; /* {others_serve}: restart it, the API server ends before when others do */
node_op op_prune;   /* {keep,look} -> {versions,images,blobs,bytes}: what is not kept goes; look:
                       stays (prune.c) */
node_op op_renew;   /* {}: kubeadm certs renew (renew.c) */
node_op op_user_kubeconfig; /* {name,groups,hours,server} -> {kubeconfig} */
node_op op_drain;           /* {node,seconds}: no new pods there, those that are leave (drain.c) */
node_op op_remove_member;   /* {id,name}: of etcd, one that does not answer any more (remove.c) */
node_op op_delete_node;     /* {node} */
node_op op_backup;          /* {file} -> {backup}: there (backup.h) */
node_op op_backup_check;    /* {file} -> {backup,revision,totalKey,hash}: can it be restored? */
node_op op_uncordon;        /* {node}: takes pods again, if drain made it unschedulable */
node_op op_certificates;    /* {} -> {certificates,now} (certificates.c) */
node_op
    op_obstacles;  /* {cluster} -> {budgets,webhooks,deprecated}: before an upgrade (obstacles.c) */
node_op op_addons; /* {cni,pod_cidr}: kubectl apply (addons.c) */
node_op op_status; /* {} -> nodes and CoreDNS as the API server sees them */
node_op op_health; /* {} -> the whole cluster, asked from here (health.h) */
node_op op_kubeconfig; /* {}: ~/.kube/config when there is none but ours */
node_op op_remember;   /* {cluster}: kept in the node's state */
node_op op_cluster;    /* {pods} -> what etcd and the API server say (members.h) */
node_op op_reset;      /* {etcd}: everything of ours goes (reset.c) */

/* Members of args; a missing or wrong one is a failure that names it. Results are borrowed. */
const char *arg_string(const json_t *args, const char *key, struct err *err);
