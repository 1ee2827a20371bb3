// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * What kubeadm's static pods and kubelet's configuration on this machine say: where the data and
 * the certificates lie and how etcd and the API server are reached. Members that nothing tells are
 * NULL; etcd_dir and certs_dir then have kubeadm's defaults.
 */
struct static_pods {
	bool etcd, apiserver;       /* the manifest is there and names its program */
	char *etcd_dir, *certs_dir; /* on the host */
	char *etcd_url;             /* of the local member, for clients */
	char *etcd_ca, *etcd_cert, *etcd_key;
	char *etcd_servers;           /* of the API server's --etcd-servers */
	char *api_address, *api_port; /* of the local API server */
	char *vip;                    /* virtual IP of lvscare's static pod */
};

/* This machine's; where they are gone, the places that our record has. */
void static_pods_read(struct static_pods *p);
void static_pods_release(struct static_pods *p);

/* Takes in one manifest, or kubelet's configuration; text that is none changes nothing. */
void static_pods_add(struct static_pods *p, const char *text, size_t len);
