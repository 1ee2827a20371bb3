// SPDX-License-Identifier: Apache-2.0
/*
 * Takes everything of ours off this machine. kubeadm's own reset is not used: it empties
 * directories through mounts, and goes on when it could not leave etcd. First the machine's member
 * leaves etcd; when that fails nothing is changed. Then each step goes on where an earlier one
 * failed; what could not be done is named, and a second reset tries again.
 */
#include "reset.h"

#include "clear.h"
#include "containers.h"
#include "err.h"
#include "etcd.h"
#include "fs.h"
#include "ipvs.h"
#include "json.h"
#include "mem.h"
#include "members.h"
#include "mounts.h"
#include "node.h"
#include "proc.h"
#include "procs.h"
#include "rules.h"
#include "state.h"
#include "staticpods.h"
#include "strbuf.h"
#include "units.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LVSCARE      DIR_CURRENT "/bin/lvscare"
#define KUBELET_UNIT "/etc/systemd/system/kubelet.service"
#define LEAVE_MS     20000
#define COMMAND_S    90

/* ---- commands ---- */

static int run(const char *const argv[], struct err *err)
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S};

	return proc_check(argv, &opts, NULL, err);
}

/* Runs a command whose failure means that there was nothing to remove. */
static void try(const char *const argv[])
{
	struct err ignored = {0};

	run(argv, &ignored);
}

/* ---- whose machine it is ---- */

static bool has_state(void)
{
	json_t *state = state_load();
	bool has = json_object_size(state) > 0;

	json_decref(state);
	return has;
}

/* Whether a cluster is here whose kubelet this program did not install. */
static bool foreign_cluster(void)
{
	return (fs_exists(KUBELET_CONF) || fs_exists(ADMIN_CONF)) && !units_is_ours(KUBELET_UNIT);
}

bool reset_has_begun(void)
{
	json_t *state = state_load();
	bool begun = json_is_object(json_object_get(state, "reset"));

	json_decref(state);
	return begun;
}

int reset_forget_begun(struct err *err)
{
	return reset_has_begun() ? state_set("reset", NULL, err) : 0;
}

int reset_is_ours(void)
{
	if (has_state())
		return true;
	if (foreign_cluster())
		return false;
	/* without its record: an installation that was cut off, or half a reset */
	return units_is_ours(KUBELET_UNIT) || fs_exists(DIR_CURRENT) || fs_exists(DIR_BLOBS) ||
	       fs_exists(FILE_SELF);
}

/* ---- etcd ---- */

struct leaving {
	char *id, *others; /* the member of this machine, the client URLs of the others */
	char *name;
	size_t members;
};

static void leaving_release(struct leaving *l)
{
	free(l->id);
	free(l->others);
	free(l->name);
}

/* From the local etcd; when it does not answer, from the request, by another member's list. */
static void find_member(const struct static_pods *p, const json_t *args, struct leaving *l)
{
	const json_t *request = json_object_get(args, "etcd");
	json_t *now = json_object();
	const json_t *list;
	struct err ignored = {0};

	if (p->etcd_url && etcd_ask(p, p->etcd_url, now, &ignored) == 0) {
		list = json_object_get(now, "members");
		l->id = xstrdup(json_text(now, "self"));
		l->others = etcd_other_urls(list, l->id);
		l->members = json_array_size(list);
		l->name = xstrdup(json_text(etcd_member(list, l->id), "name"));
	} else {
		l->id = xstrdup(json_text(request, "id"));
		l->others = xstrdup(json_text(request, "others"));
		l->name = xstrdup(json_text(request, "name"));
		l->members = 2; /* the controller sends "others" only when members remain */
	}
	json_decref(now);
}

/*
 * Asks the remaining members until they say that the member is gone; now: who remains. While they
 * elect a leader they can be read only without each other's consent, and the one that answers may
 * not have heard of the removal yet.
 */
static int ask_whether_left(const struct static_pods *p, const struct leaving *l, json_t *now,
                            struct err *err)
{
	long long end = now_ms() + LEAVE_MS;

	for (;;) {
		json_object_clear(now);
		if (etcd_ask(p, l->others, now, err) == 0 &&
		    !etcd_member(json_object_get(now, "members"), l->id))
			return 0;
		if (now_ms() > end)
			break;
		poll(NULL, 0, 500);
	}
	if (!json_object_get(now, "members"))
		return err_wrap(err, "the other members cannot be asked whether it is gone");
	return err_set(err, "still in etcd's list of members: etcdctl member remove %s", l->id);
}

static void verify_left(const struct static_pods *p, const struct leaving *l, json_t *result,
                        struct clear_report *r)
{
	json_t *now = json_object(), *left = json_array(), *m;
	auto_free char *what = xasprintf("etcd member %s (%s)", l->id, l->name);
	struct err err = {0};
	size_t i;

	if (ask_whether_left(p, l, now, &err) < 0)
		clear_failed(r, what, "%s", err.msg);
	else
		clear_removed(r, what);
	json_array_foreach (json_object_get(now, "members"), i, m)
		json_array_append(left, json_object_get(m, "name"));
	json_object_set_new(result, "etcd_members", left);
	json_decref(now);
}

/* etcd refuses while a member has been connected for less than five seconds, or the leader is being
 * elected anew. */
static int remove_member(const struct static_pods *p, const struct leaving *l, struct err *err)
{
	long long end = now_ms() + LEAVE_MS;

	if (!*l->id || !*l->others)
		return err_set(err, "neither etcd here nor another member of it answers");
	while (etcd_remove_member(p, l->others, l->id, err) < 0) {
		if (now_ms() > end)
			return -1;
		poll(NULL, 0, 1000);
	}
	return 0;
}

/* In order, while its etcd still answers: others serve. kubelet brings it back should the member
 * stay. */
static void end_apiserver(struct node *n, const struct static_pods *p)
{
	struct err err = {0};

	if (!p->apiserver)
		return;
	node_progress(n, "end the API server", 0, 0);
	if (containers_end("kube-apiserver", APISERVER_END_S, &err) < 0)
		journal("reset: the API server is not ended before etcd: %s", err.msg);
}

static int leave_etcd(struct node *n, const struct static_pods *p, const json_t *args,
                      json_t *result, struct clear_report *r, struct err *err)
{
	bool insist = json_is_true(json_object_get(args, "insist"));
	struct leaving l = {0};
	int rc = 0;

	find_member(p, args, &l);
	if (l.members > 1) {
		end_apiserver(n, p);
		node_progress(n, "leave etcd", 0, 0);
		rc = remove_member(p, &l, err);
		if (rc == 0) {
			journal("reset: etcd member %s removed", l.id);
			verify_left(p, &l, result, r);
		}
	}
	if (rc < 0 && insist) {
		auto_free char *what = xasprintf("etcd member %s (%s)", l.id, l.name);

		clear_failed(r, what, "it could not leave: %s", err->msg);
		rc = 0;
	} else if (rc < 0) {
		err_wrap(err, "its member cannot leave etcd, nothing was changed");
	}
	leaving_release(&l);
	return rc;
}

/* ---- what a second reset must know: the first may have removed what said it ---- */

static void boot_id(char id[static 40])
{
	auto_strbuf text = {0};
	struct err ignored = {0};

	fs_read("/proc/sys/kernel/random/boot_id", 64, &text, &ignored);
	snprintf(id, 40, "%.*s", (int)strcspn(strbuf_str(&text), "\n"), strbuf_str(&text));
}

static void remember_places(const struct static_pods *p)
{
	json_t *state = state_load();
	const char *first = json_text(json_object_get(state, "reset"), "boot");
	struct err ignored = {0};
	char boot[40];

	boot_id(boot);
	state_set("reset",
	          json_pack("{ss ss ss ss}", "etcd_dir", p->etcd_dir, "certs_dir", p->certs_dir,
	                    "vip", p->vip ? p->vip : "", "boot", *first ? first : boot),
	          &ignored);
	json_decref(state);
}

/* Are there packet filter rules of ours? Not without the images that make them, and not when the
 * machine was started again since an earlier reset ended them. */
static bool rules_possible(void)
{
	json_t *state = state_load();
	const char *before = json_text(json_object_get(state, "reset"), "boot");
	bool images = *json_text(state, "images") || *json_text(state, "kubeadm") ||
	              !json_object_get(state, "version");
	char boot[40];

	boot_id(boot);
	images &= !*before || strcmp(before, boot) == 0;
	json_decref(state);
	return images;
}

/* ---- processes and network ---- */

static void stop_kubelet(struct node *n, bool for_ever)
{
	const char *disable[] = {"systemctl", "-q", "disable", "--now", "kubelet.service", NULL};
	const char *stop[] = {"systemctl", "stop", "kubelet.service", NULL};
	const char *start[] = {"systemctl", "-q", "stop", UNIT_START_KUBELET ".timer", NULL};

	node_progress(n, "stop kubelet and containers", 0, 0);
	try(start); /* of an upgrade that was cut off; mostly there is none */
	try(for_ever ? disable : stop);
	procs_kill_pods();
}

static void stop_containerd(void)
{
	const char *containerd[] = {"systemctl",          "-q", "disable", "--now",
	                            "containerd.service", NULL};
	const char *slice[] = {"systemctl", "stop", "kubepods.slice", NULL};

	try(containerd);
	procs_kill_ours();
	try(slice); /* and the slices of the pods in it */
}

/* Route, service and rules of the virtual IP, after the static pod that would write them again. */
static void clean_vip(const char *vip, struct clear_report *r)
{
	const char *argv[] = {LVSCARE, "--clean", "--vs", vip, NULL};
	auto_free char *what = xasprintf("the rules of the virtual IP %s", vip ? vip : "");
	struct err err = {0};

	if (!vip || !*vip || !fs_exists(LVSCARE))
		return;
	if (run(argv, &err) < 0)
		clear_failed(r, what, "%s", err.msg);
	else
		clear_removed(r, what);
}

static void delete_link(const char *name, struct clear_report *r)
{
	auto_free char *path = xasprintf("/sys/class/net/%s", name);
	auto_free char *what = xasprintf("network device %s", name);
	const char *argv[] = {"ip", "link", "delete", name, NULL};
	struct err err = {0};

	if (!fs_exists(path))
		return;
	if (run(argv, &err) < 0 && fs_exists(path))
		clear_failed(r, what, "%s", err.msg);
	else
		clear_removed(r, what);
}

static void remove_network(struct clear_report *r)
{
	static const char *const links[] = {"cni0", "flannel.1", "flannel-v6.1", "kube-ipvs0"};
	auto_strlist names = {0};
	struct err ignored = {0};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		delete_link(links[i], r);
	if (!fs_exists("/run/netns") || fs_list("/run/netns", &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf("/run/netns/%s", names.v[i]);

		if (strncmp(names.v[i], "cni-", 4) == 0)
			unlink(path);
	}
}

/* ---- the operations ---- */

static void reload_units(void)
{
	const char *reload[] = {"systemctl", "daemon-reload", NULL};
	const char *forget[] = {"systemctl", "reset-failed", "kubelet.service",
	                        "containerd.service", NULL};

	try(reload);
	try(forget);
}

/* -1: stopped between two steps, as asked. */
static int remove_all(struct node *n, const struct static_pods *p, struct clear_report *r,
                      struct err *err)
{
	const char *start[] = {"systemctl", "start", "containerd.service", NULL};
	auto_strlist ports = {0};

	stop_kubelet(n, true);
	node_progress(n, "packet filter rules", 0, 0);
	try(start); /* it gives the programs by which the rules are removed */
	if (rules_possible())
		rules_remove(&ports, r);
	clean_vip(p->vip, r);
	if (node_safe_point("stop containerd", err) < 0)
		return -1;
	node_progress(n, "stop containerd", 0, 0);
	stop_containerd();
	node_progress(n, "unmount", 0, 0);
	mounts_unmount(r);
	ipvs_remove(&ports, r); /* kube-ipvs0 says which services are kube-proxy's */
	remove_network(r);
	if (node_safe_point("remove files", err) < 0)
		return -1;
	node_progress(n, "remove files", 0, 0);
	reset_kubernetes_files(p, false, r);
	reset_our_files(r);
	reload_units();
	if (!json_array_size(r->failed)) /* last: it says that there is something of ours */
		clear_dir(DIR_STATE, NULL, r);
	return 0;
}

static void say_nothing_of_ours(json_t *result)
{
	json_object_set_new(result, "changed", json_false());
	json_object_set_new(
	    result, "why",
	    json_string(foreign_cluster()
	                    ? "a cluster is here that was not made by kubecask: nothing was touched"
	                    : "nothing of ours was there"));
}

int op_reset(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	struct clear_report r;
	struct static_pods p;
	int rc = 0;

	if (node_lock(n, err) < 0)
		return -1;
	if (!reset_is_ours()) {
		say_nothing_of_ours(result);
		return 0;
	}
	if (node_safe_point("reset", err) < 0)
		return -1;
	static_pods_read(&p);
	clear_report_init(&r);
	if (json_is_object(json_object_get(args, "etcd")))
		rc = leave_etcd(n, &p, args, result, &r, err);
	if (rc == 0) {
		journal("reset begins");
		remember_places(&p);
		json_object_set_new(result, "changed", json_true());
		rc = remove_all(n, &p, &r, err);
		json_object_set(result, "removed", r.removed);
		json_object_set(result, "stayed", r.stayed);
		json_object_set(result, "failed", r.failed);
	}
	static_pods_release(&p);
	clear_report_release(&r);
	return rc;
}

/* A member that had joined already leaves in order; insist: goes on when it cannot. */
static int leave_unfinished(struct node *n, const struct static_pods *p, bool insist,
                            struct clear_report *r, struct err *err)
{
	json_t *args, *ignored;
	int rc;

	if (!p->etcd || !members_etcd_data(p->etcd_dir))
		return 0;
	args = json_pack("{sb}", "insist", insist);
	ignored = json_object();
	rc = leave_etcd(n, p, args, ignored, r, err);
	if (insist)
		json_array_clear(r->failed);
	json_decref(args);
	json_decref(ignored);
	return rc;
}

int reset_unfinished(struct node *n, bool init, bool insist, struct err *err)
{
	struct clear_report r;
	struct static_pods p;
	const json_t *first;
	int rc;

	clear_report_init(&r);
	static_pods_read(&p);
	rc = leave_unfinished(n, &p, insist, &r, err);
	if (rc < 0) {
		static_pods_release(&p);
		clear_report_release(&r);
		return rc;
	}
	stop_kubelet(n, false);
	clean_vip(p.vip, &r);
	mounts_unmount(&r);
	reset_kubernetes_files(&p, init, &r);
	first = json_array_get(r.failed, 0);
	if (first)
		rc = err_set(err, "not everything of the interrupted run could be removed: %s: %s",
		             json_text(first, "what"), json_text(first, "why"));
	static_pods_release(&p);
	clear_report_release(&r);
	return rc;
}
