// SPDX-License-Identifier: Apache-2.0
/* node prepare: files, containerd and images on this machine, for a plain kubeadm join. */
#include "err.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

static int prepare(struct run *r, struct err *err)
{
	struct job *j;

	if (run_open_bundle(r, err) < 0 || run_config(r, err) < 0 || run_connect(r, err) < 0 ||
	    run_unreachable(r, err) < 0 || run_check(r, err) < 0)
		return -1;
	j = &r->jobs.v[0];
	if (jobs_run_one(&r->jobs, j, "prepare", "files and images",
	                 json_pack("{sb}", "control_plane", r->opt->control_plane)) < 0)
		return err_set_code(err, err_exit(&j->err), "%s", j->err.msg);
	if (r->opt->json)
		printf("{\"changed\":%s}\n",
		       json_is_true(json_object_get(j->result, "changed")) ? "true" : "false");
	else if (candidate_state(&r->cand[0]) == NODE_MEMBER)
		printf(
		    "This machine is in a cluster and has the files of %s now. To upgrade it run\n"
		    "    kubeadm upgrade apply %s\n"
		    "if it is the first master, else, after that one,\n"
		    "    kubeadm upgrade node\n"
		    "and then: systemctl restart kubelet\n",
		    r->bundle.k8s_version, r->bundle.k8s_version);
	else
		printf("This machine is ready to join. On a master run\n"
		       "    kubeadm token create --print-join-command\n"
		       "and run here, as root, the line that it prints.\n");
	return 0;
}

int cmd_node_prepare(const struct options *o, struct err *err)
{
	struct run r = {.opt = o, .alone = true};
	const struct addr none = {0};
	int rc;

	ui_init(&r.ui);
	/* the checks of a control plane would ask for ports that a worker does not need */
	hostlist_add_local(&r.hosts, &none, o->control_plane);
	rc = prepare(&r, err);
	run_release(&r);
	return rc;
}
