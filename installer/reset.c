// SPDX-License-Identifier: Apache-2.0
/*
 * Takes everything of ours off this machine. Each step goes on where an earlier one failed; what
 * could not be done is named in the end, and a second reset tries again. Mounts of others below our
 * directories are taken off, never emptied.
 */
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "procs.h"
#include "rules.h"
#include "state.h"
#include "strbuf.h"
#include "units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define KUBEADM   DIR_CURRENT "/bin/kubeadm"
#define LVSCARE   DIR_CURRENT "/bin/lvscare"
#define CTR       DIR_CURRENT "/bin/ctr"
#define KUBEADM_S 300
#define COMMAND_S 90

/* What failed on the way, for the one message at the end. */
struct troubles {
	struct strbuf text;
	size_t n;
};

static void trouble(struct troubles *t, const char *what, const struct err *err)
{
	journal("reset: %s: %s", what, err->msg);
	strbuf_addf(&t->text, "%s%s: %s", t->n++ ? "; " : "", what, err->msg);
}

static void run(struct troubles *t, const char *what, const char *const argv[], int timeout_s)
{
	const struct proc_opts opts = {.timeout_s = timeout_s};
	struct err err = {0};

	if (proc_check(argv, &opts, NULL, &err) < 0)
		trouble(t, what, &err);
}

/* For commands whose failure only means that there was nothing. */
static void try(const char *const argv[])
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S};
	struct err ignored = {0};

	proc_check(argv, &opts, NULL, &ignored);
}

/* ---- Kubernetes ---- */

static void reset_kubeadm(struct node *n, bool whole, struct troubles *t)
{
	const char *argv[] = {KUBEADM, "reset", "-f", NULL, NULL};
	const char *start[] = {"systemctl", "start", "containerd.service", NULL};

	if (!fs_exists(KUBEADM))
		return;
	try(start); /* it stops the pods through containerd */
	if (whole)  /* no cluster remains that the etcd member would have to leave */
		argv[3] = "--skip-phases=remove-etcd-member";
	node_progress(n, "kubeadm reset", 0, 0);
	run(t, "kubeadm reset", argv, KUBEADM_S);
}

/* kubeadm reset took back the rules of a node that had joined; this is for one that had not. */
static void clean_vip(const char *vip)
{
	const char *argv[] = {LVSCARE, "--vs", vip, "--clean", NULL};

	if (*vip && fs_exists(LVSCARE))
		try(argv);
}

static char *known_vip(void)
{
	json_t *state = state_load();
	char *vip = xstrdup(state_string(json_object_get(state, "cluster"), "vip"));

	json_decref(state);
	return vip;
}

/* ---- processes ---- */

static void stop_units(struct node *n)
{
	const char *kubelet[] = {"systemctl", "-q", "disable", "--now", "kubelet.service", NULL};
	const char *containerd[] = {"systemctl",          "-q", "disable", "--now",
	                            "containerd.service", NULL};
	const char *slice[] = {"systemctl", "stop", "kubepods.slice", NULL};

	node_progress(n, "stop kubelet and containers", 0, 0);
	try(kubelet);
	procs_kill_pods();
	try(containerd);
	procs_kill_ours();
	try(slice); /* and the slices of the pods in it */
}

/* ---- mounts ---- */

static bool below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

static bool our_mount(const char *path)
{
	static const char *const dirs[] = {
	    "/run/containerd", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd", DIR_OPT,
	    DIR_STATE};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (below(path,
		          dirs[i])) /* not the directory itself: that may be the user's own disk */
			return true;
	return strncmp(path, "/run/netns/cni-", 15) == 0;
}

/* /proc/self/mountinfo writes space, tab, newline and backslash as three octal digits. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* Last mounted, first unmounted. One that is busy is detached: it must not be in the way of
 * removal. */
static void unmount_all(struct node *n, struct troubles *t)
{
	auto_strbuf text = {0};
	auto_strlist points = {0};
	struct err err = {0};
	char *next, *line;

	node_progress(n, "unmount", 0, 0);
	if (fs_read("/proc/self/mountinfo", 16u << 20, &text, &err) < 0) {
		trouble(t, "mounts", &err);
		return;
	}
	next = text.buf;
	while (next && (line = strsep(&next, "\n"))) {
		char path[4096];

		if (sscanf(line, "%*d %*d %*s %*s %4095s", path) != 1)
			continue;
		unescape(path);
		if (our_mount(path))
			strlist_add(&points, path);
	}
	for (size_t i = points.n; i-- > 0;)
		if (umount2(points.v[i], UMOUNT_NOFOLLOW) < 0 &&
		    umount2(points.v[i], UMOUNT_NOFOLLOW | MNT_DETACH) < 0 && errno != EINVAL) {
			err_set(&err, "%s: %s", points.v[i], strerror(errno));
			trouble(t, "unmount", &err);
		}
}

/* ---- network ---- */

static void delete_link(const char *name)
{
	auto_free char *path = xasprintf("/sys/class/net/%s", name);
	const char *argv[] = {"ip", "link", "delete", name, NULL};

	if (fs_exists(path))
		try(argv);
}

static void remove_network(void)
{
	static const char *const links[] = {"cni0", "flannel.1", "flannel-v6.1", "kube-ipvs0"};
	auto_strlist names = {0};
	struct err ignored = {0};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		delete_link(links[i]);
	if (!fs_exists("/run/netns") || fs_list("/run/netns", &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf("/run/netns/%s", names.v[i]);

		if (strncmp(names.v[i], "cni-", 4) == 0)
			unlink(path);
	}
}

/* ---- files ---- */

static bool points_to_us(const char *path)
{
	char target[256];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return strncmp(target, DIR_OPT "/", strlen(DIR_OPT "/")) == 0;
}

static void remove_links_in(const char *dir)
{
	auto_strlist names = {0};
	struct err ignored = {0};

	if (!fs_exists(dir) || fs_list(dir, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf("%s/%s", dir, names.v[i]);

		if (points_to_us(path) || units_is_ours(path))
			unlink(path);
	}
}

/* ~/.kube/config goes only if it is what we wrote. */
static void remove_kubeconfig(void)
{
	json_t *state = state_load();
	const json_t *k = json_object_get(state, "kubeconfig");
	const char *path = state_string(k, "path");
	struct digest d;
	struct err ignored = {0};

	if (*path && digest_file(path, &d, NULL, &ignored) == 0 &&
	    strcmp(d.str, state_string(k, "digest")) == 0)
		unlink(path);
	json_decref(state);
	fs_remove_tree("/root/.kube/cache", &ignored);
	rmdir("/root/.kube"); /* only when empty */
}

/* The contents go, the directory too unless it is a file system of its own. */
static void remove_tree(const char *dir, struct troubles *t)
{
	auto_strlist names = {0};
	struct err err = {0}, inner = {0};

	if (!fs_exists(dir) || fs_remove_tree(dir, &err) == 0)
		return;
	if (fs_list(dir, &names, &inner) < 0) {
		trouble(t, "remove", &err);
		return;
	}
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf("%s/%s", dir, names.v[i]);
		struct err why = {0};

		if (fs_remove_tree(path, &why) < 0)
			trouble(t, "remove", &why);
	}
}

/* The values from before, as kernel.c noted them. */
static void restore_sysctls(void)
{
	json_t *state = state_load(), *v;
	const char *key;

	json_object_foreach (json_object_get(state, "sysctl"), key, v) {
		auto_free char *path = xasprintf("/proc/sys/%s", key);
		auto_close int fd = -1;

		if (!json_is_string(v) || strstr(key, "..") || strchr(key, '/'))
			continue;
		for (char *c = path + strlen("/proc/sys/"); *c; c++)
			if (*c == '.')
				*c = '/';
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0)
			(void)!write(fd, json_string_value(v), strlen(json_string_value(v)));
	}
	json_decref(state);
}

/* Directories that absent.c saw missing, deepest first; one that is not empty is somebody's by now.
 */
static void remove_made(void)
{
	json_t *state = state_load(), *v;
	size_t i;

	json_array_foreach (json_object_get(state, "absent"), i, v)
		if (json_is_string(v))
			rmdir(json_string_value(v));
	json_decref(state);
}

static void remove_files(struct node *n, struct troubles *t)
{
	static const char *const link_dirs[] = {
	    DIR_BIN, "/etc/systemd/system/multi-user.target.wants", "/etc/systemd/system",
	    "/etc/sysctl.d", "/etc/modules-load.d"};
	static const char *const trees[] = {"/etc/kubernetes",
	                                    "/var/lib/kubelet",
	                                    "/var/lib/etcd",
	                                    "/var/lib/containerd",
	                                    "/var/lib/cni",
	                                    "/var/lib/lvscare",
	                                    "/var/log/pods",
	                                    "/var/log/containers",
	                                    "/run/containerd",
	                                    "/run/flannel",
	                                    "/run/kubernetes",
	                                    "/run/lvscare",
	                                    "/run/runc",
	                                    DIR_RUN,
	                                    DIR_OPT};
	static const char *const conflists[] = {"/etc/cni/net.d/10-flannel.conflist",
	                                        "/etc/cni/net.d/10-kubecask.conflist"};
	const char *reload[] = {"systemctl", "daemon-reload", NULL};
	const char *forget[] = {"systemctl", "reset-failed", "kubelet.service",
	                        "containerd.service", NULL};

	node_progress(n, "remove files", 0, 0);
	restore_sysctls();
	remove_kubeconfig();
	for (size_t i = 0; i < ARRAY_SIZE(link_dirs); i++)
		remove_links_in(link_dirs[i]);
	for (size_t i = 0; i < ARRAY_SIZE(conflists); i++)
		unlink(conflists[i]);
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		remove_tree(trees[i], t);
	remove_made();
	unlink("/run/xtables.lock");
	try(reload);
	try(forget);
}

/* ---- the operation ---- */

int op_reset(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	auto_free char *vip = NULL;
	struct troubles t = {0};

	if (node_lock(n, err) < 0)
		return -1;
	if (!fs_exists(DIR_STATE) && !fs_exists(DIR_OPT)) {
		json_object_set_new(result, "changed", json_false());
		return 0;
	}
	vip = known_vip();
	journal("reset begins");
	json_object_set_new(result, "changed", json_true());
	reset_kubeadm(n, json_is_true(json_object_get(args, "whole")), &t);
	node_progress(n, "packet filter rules", 0, 0);
	rules_remove();
	clean_vip(vip);
	stop_units(n);
	unmount_all(n, &t);
	remove_network();
	remove_files(n, &t);
	if (!t.n)
		remove_tree(DIR_STATE, &t); /* last: it says that there is something of ours */
	if (t.n)
		err_set(err, "not everything could be removed, repeat the reset: %s",
		        strbuf_str(&t.text));
	strbuf_release(&t.text);
	return t.n ? -1 : 0;
}
