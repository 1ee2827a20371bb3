// SPDX-License-Identifier: Apache-2.0
/*
 * What a machine does in an upgrade of its cluster: etcd's data is saved, the new version's kubeadm
 * changes the static pods, kubelet is started anew after activate. Each operation can be repeated.
 */
#include "containers.h"
#include "emulationpatches.h"
#include "err.h"
#include "etcd.h"
#include "fs.h"
#include "json.h"
#include "kubeadm.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "stage.h"
#include "state.h"
#include "staticpods.h"
#include "strbuf.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SNAPSHOTS      DIR_STATE "/snapshots"
#define SNAPSHOTS_KEPT 3
#define EMULATION      DIR_STATE "/emulation" /* patches, while kubeadm runs */
#define UPGRADE_S      1800                   /* kubeadm's own waits end before */
#define OTHERS_S       10
#define KUBELET        "kubelet"
#define START_AFTER_S  "180" /* longer than all of that takes */
#define COMMAND_S      60

/* ---- a snapshot of etcd ---- */

/* The newest stay; their names begin with the time. */
static void remove_old_snapshots(void)
{
	auto_strlist names = {0};
	struct err ignored = {0};

	if (fs_list(SNAPSHOTS, &names, &ignored) < 0)
		return;
	strlist_sort(&names);
	for (size_t i = 0; i + SNAPSHOTS_KEPT < names.n; i++) {
		auto_free char *path = xasprintf(SNAPSHOTS "/%s", names.v[i]);

		unlink(path);
	}
}

static int save_snapshot(const struct static_pods *p, const char *run, json_t *result,
                         struct err *err)
{
	auto_free char *path = xasprintf(SNAPSHOTS "/%s.db", run);
	auto_free char *part = xasprintf("%s.part", path);

	json_object_set_new(result, "file", json_string(path));
	if (fs_exists(path))
		return 0;
	if (fs_mkdir_p(SNAPSHOTS, 0700, err) < 0)
		return -1;
	unlink(part); /* of a run that was cut off */
	if (etcd_snapshot(p, p->etcd_url, part, err) < 0 || fs_rename(part, path, err) < 0) {
		unlink(part);
		return -1;
	}
	remove_old_snapshots();
	journal("etcd's data saved as %s", path);
	json_object_set_new(result, "changed", json_true());
	return 0;
}

int op_snapshot(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *run = json_text(json_object_get(args, "run"), "id");
	struct static_pods p;
	int rc = 0;

	if (!*run || strchr(run, '/'))
		return err_set(err, "protocol: \"run\" is missing");
	if (node_lock(n, err) < 0 || node_safe_point("etcd was saved", err) < 0)
		return -1;
	static_pods_read(&p);
	if (p.etcd && p.etcd_url) /* etcd servers of the user's are theirs to save */
		rc = save_snapshot(&p, run, result, err);
	static_pods_release(&p);
	return rc;
}

/* ---- kubeadm upgrade ---- */

/* Everything that kubelets and pods read stays of the old version until commit. */
static void add_emulation_words(struct strlist *argv, const char *verb)
{
	strlist_addf(argv, "--skip-phases=addon,kubelet-config%s",
	             strcmp(verb, "apply") == 0 ? ",upload-config/kubelet" : "");
}

/* args: emulate is the minor version that the control plane works as, keep_certificates says that
 * an earlier run renewed them. */
static int run_upgrade(struct node *n, const struct version *v, const json_t *args,
                       const char *patches, struct err *err)
{
	auto_strlist argv = {0}, secrets = {0};
	const char *verb = json_text(args, "verb");

	strlist_addf(&argv, "%s/bin/kubeadm", v->dir);
	strlist_add(&argv, "upgrade");
	strlist_add(&argv, verb);
	if (strcmp(verb, "apply") == 0) {
		strlist_add(&argv, v->k8s);
		strlist_add(&argv, "--yes");
	}
	if (*json_text(args, "emulate"))
		add_emulation_words(&argv, verb);
	if (json_flag(args, "keep_certificates"))
		strlist_add(&argv, "--certificate-renewal=false");
	if (*patches)
		strlist_addf(&argv, "--patches=%s", patches);
	return kubeadm_run(n, "upgrade", (const char *const *)argv.v, &secrets, UPGRADE_S, err);
}

/* The same with a folder of patches that let the control plane work as the minor version, and those
 * of the user's before them. */
static int run_emulated(struct node *n, const struct version *v, const json_t *args,
                        const char *patches, struct err *err)
{
	int rc = emulation_patches_make(EMULATION, json_text(args, "emulate"), patches, err);

	if (rc == 0)
		rc = run_upgrade(n, v, args, EMULATION, err);
	emulation_patches_remove(EMULATION);
	return rc;
}

int op_upgrade(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *verb = arg_string(args, "verb", err);
	auto_version v = {0};
	json_t *state = NULL;
	int rc = 0;

	if (!verb || (strcmp(verb, "apply") != 0 && strcmp(verb, "node") != 0))
		return err_set(err, "protocol: bad verb");
	if (node_lock(n, err) < 0 || version_find(args, &v, err) < 0 || state_read(&state, err) < 0)
		return -1;
	if (!v.there)
		rc = err_set(err, "%s is not unpacked on this machine: stage comes before upgrade",
		             v.k8s);
	if (rc == 0)
		rc = node_safe_point("kubeadm upgrade", err);
	if (rc == 0) {
		journal("kubeadm upgrade %s to %s begins", verb, v.k8s);
		rc = (*json_text(args, "emulate") ? run_emulated : run_upgrade)(
		    n, &v, args, json_text(state, "patches"), err);
		journal("kubeadm upgrade %s to %s %s", verb, v.k8s, rc < 0 ? "failed" : "done");
	}
	if (rc == 0)
		rc = state_set_string("control_plane", v.k8s, err);
	json_object_set_new(result, "changed", json_true());
	json_decref(state);
	return rc;
}

/* ---- kubelet ---- */

static int systemctl(const char *verb, const char *unit, struct err *err)
{
	const char *argv[] = {"systemctl", verb, unit, NULL};
	const struct proc_opts opts = {.timeout_s = COMMAND_S};

	return proc_check(argv, &opts, NULL, err);
}

static void cancel_start(void)
{
	struct err ignored = {0};

	systemctl("stop", UNIT_START_KUBELET ".timer", &ignored);
}

/* Whatever becomes of this process, systemd starts kubelet then, unless that is cancelled. */
static int arrange_start(struct err *err)
{
	const char *argv[] = {"systemd-run",
	                      "--quiet",
	                      "--collect",
	                      "--unit=" UNIT_START_KUBELET,
	                      "--on-active=" START_AFTER_S,
	                      "systemctl",
	                      "start",
	                      "kubelet",
	                      NULL};
	const struct proc_opts opts = {.timeout_s = COMMAND_S};

	cancel_start(); /* of a run that was cut off */
	return proc_check(argv, &opts, NULL, err);
}

/* The API server goes on until nobody asks it any more, as in any restart. */
static void leave_to_others(struct node *n, const struct static_pods *p)
{
	struct err err = {0};

	if (p->etcd && p->etcd_url && etcd_move_leader(p, p->etcd_url, &err) < 0)
		journal("etcd's leader is not moved: %s", err.msg);
	node_progress(n, "end the API server", 0, 0);
	if (containers_end("kube-apiserver", APISERVER_END_S, &err) < 0)
		journal("the API server is not ended before kubelet: %s", err.msg);
}

/*
 * A kubelet of another minor version makes the static pods anew, beside those that run: these have
 * the ports, and the new ones would fail and wait before they are tried again.
 */
static int restart_control_plane(struct err *err)
{
	static const char *const names[] = {"kube-apiserver", "kube-controller-manager",
	                                    "kube-scheduler", "etcd"};
	struct err failed = {0};

	if (arrange_start(&failed) < 0) {
		journal("the static pods run on while kubelet starts anew: %s", failed.msg);
		return systemctl("restart", KUBELET, err);
	}
	if (systemctl("stop", KUBELET, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (containers_end(names[i], OTHERS_S, &failed) < 0)
			journal("%s is not ended before kubelet: %s", names[i], failed.msg);
	if (systemctl("start", KUBELET, err) < 0)
		return -1; /* systemd tries again */
	cancel_start();
	return 0;
}

int op_kubelet(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	struct static_pods p;
	int rc;

	(void)result;
	if (node_lock(n, err) < 0)
		return -1;
	static_pods_read(&p);
	if (p.apiserver && json_flag(args, "others_serve"))
		leave_to_others(n, &p);
	node_progress(n, "kubelet", 0, 0);
	journal("kubelet starts anew");
	rc = p.apiserver ? restart_control_plane(err) : systemctl("restart", KUBELET, err);
	static_pods_release(&p);
	return rc;
}
