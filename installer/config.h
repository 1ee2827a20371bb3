// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct strlist;

#define DEFAULT_VIP          "169.254.97.2:6443"
#define DEFAULT_POD_CIDR     "10.244.0.0/16"
#define DEFAULT_SERVICE_CIDR "10.96.0.0/12"
#define DEFAULT_API_PORT     6443
#define DEFAULT_ETCD_DIR     "/var/lib/etcd"
#define CRI_SOCKET           "unix:///run/containerd/containerd.sock"
#define IMAGE_REGISTRY       "registry.k8s.io"

/* What the cluster is to be: options, the user's kubeadm documents, and the bundle brought
 * together. */
struct cluster_config {
	json_t *user;            /* array of documents; NULL: none */
	const char *k8s_version; /* of the bundle */
	struct addr vip;         /* with its port */
	char *pod_cidr, *service_cidr;
	const struct strlist *ignore; /* kubeadm's preflight errors to ignore */
	const char *proxy_mode;       /* that fits the machines; NULL: iptables. The user's wins */
	bool own_network;             /* the user brings the pod network (--cni none) */
	uint16_t api_port;            /* of the masters of the cluster that is joined; 0: none */
	bool joining;                 /* the cluster exists: InitConfiguration is not used */
};

/* What the command line says; NULL: not given. */
struct config_choice {
	const char *file, *vip, *pod_cidr, *service_cidr, *cni;
	struct strlist *findings; /* of --config, for the caller; NULL: not wanted */
	size_t masters, workers;  /* machines of this run; both 0: not known, taken as several */
	bool joining;
};

/*
 * Reads the user's file, checks what it must not hold (configcheck.h) and chooses the values. A
 * value of the user's that contradicts an option or the bundle is an EXIT_USAGE failure naming
 * both; of several findings each gets a line of its own on stderr.
 */
int cluster_config_init(struct cluster_config *c, const struct config_choice *choice,
                        const char *k8s_version, const struct strlist *ignore, struct err *err);
void cluster_config_release(struct cluster_config *c);

/* One machine's part in it. */
struct node_config {
	const char *address; /* what its kubelet and API server announce */
	const char
	    *address6;      /* of a dual-stack cluster: its address of the other family, or NULL */
	const char *name;   /* the node's name, or NULL: its hostname */
	const char *labels; /* "key=value,...", or NULL */
	const char *taints; /* "key=value:Effect,...", "-" for none at all, or NULL */
	bool nameserver;    /* /etc/resolv.conf names one */
	bool fresh_etcd;    /* etcd's directory holds lost+found alone: a new file system */
};

/* Documents for `kubeadm init` and `kubeadm join`: the user's, with what is missing. The caller's.
 */
json_t *config_init_docs(const struct cluster_config *c, const struct node_config *n);
json_t *config_join_docs(const struct cluster_config *c, const struct node_config *n,
                         const char *token, const char *ca_hash, const char *certificate_key);
/* What a document of that kind says of one machine's name and address must be what it is known by.
 * EXIT_USAGE naming both. */
int config_fits(const struct cluster_config *c, const char *kind, const struct node_config *n,
                struct err *err);
/* The apiVersion of kubeadm's documents: kubeadm.k8s.io/v1beta4 came with 1.31. */
const char *config_kubeadm_api(const char *k8s_version);
/* The first document of that kind in an array, borrowed; NULL: none. */
json_t *config_doc_of_kind(const json_t *docs, const char *kind);
/* The user's document of that kind, borrowed; NULL: none. */
const json_t *config_user_doc(const struct cluster_config *c, const char *kind);
/* The member of a document at a path such as "etcd.local.dataDir", borrowed; NULL: none. */
const json_t *config_at(const json_t *doc, const char *path);

/* The user's "timeouts" (v1beta4), for the steps between init and join; borrowed, NULL: none. */
json_t *config_timeouts(const struct cluster_config *c);
/* Does the user's KubeletConfiguration allow swap? */
bool config_allows_swap(const struct cluster_config *c);
/* Where each API server listens; the port of the virtual IP may be another one. */
uint16_t config_bind_port(const struct cluster_config *c);
/* Where etcd keeps its data on the masters. */
const char *config_etcd_dir(const struct cluster_config *c);
/* kube-proxy's mode: the user's, else that which was chosen for the machines. */
const char *config_proxy_mode(const struct cluster_config *c);
/* Has the pod or the service network addresses of that family (AF_INET, AF_INET6)? */
bool config_has_family(const struct cluster_config *c, int family);
