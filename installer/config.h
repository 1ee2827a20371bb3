// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net.h"

#include <jansson.h>
#include <stdbool.h>

struct err;
struct strlist;

#define DEFAULT_VIP          "169.254.97.2:6443"
#define DEFAULT_POD_CIDR     "10.244.0.0/16"
#define DEFAULT_SERVICE_CIDR "10.96.0.0/12"

/* What the cluster is to be: options, the user's kubeadm documents, and the bundle brought
 * together. */
struct cluster_config {
	json_t *user;            /* array of documents; NULL: none */
	const char *k8s_version; /* of the bundle */
	struct addr vip;         /* with its port */
	char *pod_cidr, *service_cidr;
	const struct strlist *ignore; /* kubeadm's preflight errors to ignore */
};

/* What the command line says; NULL: not given. */
struct config_choice {
	const char *file, *vip, *pod_cidr, *service_cidr;
};

/*
 * Reads the user's file and settles the values. A value of the user's that contradicts an option or
 * the bundle (kubernetesVersion, imageRepository, cgroupDriver) is an EXIT_USAGE failure naming
 * both.
 */
int cluster_config_init(struct cluster_config *c, const struct config_choice *choice,
                        const char *k8s_version, const struct strlist *ignore, struct err *err);
void cluster_config_release(struct cluster_config *c);

/* One machine's part in it. */
struct node_config {
	const char *address; /* what its kubelet and API server announce */
	bool nameserver;     /* /etc/resolv.conf names one */
};

/* Documents for `kubeadm init` and `kubeadm join`: the user's, with what is missing. The caller's.
 */
json_t *config_init_docs(const struct cluster_config *c, const struct node_config *n);
json_t *config_join_docs(const struct cluster_config *c, const struct node_config *n,
                         const char *token, const char *ca_hash, const char *certificate_key);
/* The apiVersion of kubeadm's documents: kubeadm.k8s.io/v1beta4 came with 1.31. */
const char *config_kubeadm_api(const char *k8s_version);
/* Does the user's KubeletConfiguration allow swap? */
bool config_allows_swap(const struct cluster_config *c);
