// SPDX-License-Identifier: Apache-2.0
/*
 * certs renew on one machine (op "renew"): kubeadm signs all its certificates anew. Programs take
 * them when they start anew, which is a step of its own (op "kubelet").
 */
#include "err.h"
#include "fs.h"
#include "kubeadm.h"
#include "node.h"
#include "state.h"
#include "strbuf.h"

#define KUBEADM DIR_CURRENT "/bin/kubeadm"
#define RENEW_S 300

int op_renew(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	static const char *const master[] = {KUBEADM, "certs", "renew", "all", NULL};
	/* a worker has the kubelet's pair alone, and kubelet's way to what the cluster says of
	 * lives */
	static const char *const worker[] = {
	    KUBEADM, "certs", "renew", "kubelet-serving", "--kubeconfig", KUBELET_CONF, NULL};
	auto_strlist none = {0};
	int rc;

	(void)args;
	if (node_lock(n, err) < 0 || node_safe_point("certificates were renewed", err) < 0)
		return -1;
	rc = kubeadm_run(n, "certs renew", fs_exists(ADMIN_CONF) ? master : worker, &none, RENEW_S,
	                 err);
	journal("kubeadm certs renew %s", rc < 0 ? "failed" : "done");
	json_object_set_new(result, "changed", json_true());
	return rc;
}
