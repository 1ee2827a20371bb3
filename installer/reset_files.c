// SPDX-License-Identifier: Apache-2.0
/* The files that a reset removes; clear.h says what becomes of mounts and links among them. */
#include "clear.h"
#include "commands.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "reset.h"
#include "state.h"
#include "staticpods.h"
#include "strbuf.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CERTS_DIR "/etc/kubernetes/pki"
#define ETCD_DIR  "/var/lib/etcd"

/* ---- Kubernetes ---- */

/* Only what kubeadm writes: an audit policy or a list of encryption keys is the user's. */
static void clear_etc(bool keep_ca, struct clear_report *r)
{
	const char *const names[] = {"admin.conf",
	                             "super-admin.conf",
	                             "kubelet.conf",
	                             "bootstrap-kubelet.conf",
	                             "controller-manager.conf",
	                             "scheduler.conf",
	                             "manifests",
	                             "tmp",
	                             keep_ca ? NULL : "pki",
	                             NULL};
	const struct clear_opts opts = {.only = names, .others = "not made by kubeadm"};

	clear_dir("/etc/kubernetes", &opts, r);
}

/* A directory of the user's choice may hold more than kubeadm's certificates. */
static void clear_certs(const char *dir, struct clear_report *r)
{
	static const char *const names[] = {"ca.crt",
	                                    "ca.key",
	                                    "ca.srl",
	                                    "apiserver.crt",
	                                    "apiserver.key",
	                                    "apiserver-etcd-client.crt",
	                                    "apiserver-etcd-client.key",
	                                    "apiserver-kubelet-client.crt",
	                                    "apiserver-kubelet-client.key",
	                                    "front-proxy-ca.crt",
	                                    "front-proxy-ca.key",
	                                    "front-proxy-client.crt",
	                                    "front-proxy-client.key",
	                                    "sa.key",
	                                    "sa.pub",
	                                    "etcd",
	                                    NULL};
	const struct clear_opts opts = {
	    .only = names, .others = "not a certificate of kubeadm's", .keep_dir = true};

	if (strcmp(dir, CERTS_DIR) != 0)
		clear_dir(dir, &opts, r);
}

/* What is signed goes, the authorities stay: the user may have brought them. kubeadm init uses what
 * it finds. */
static void clear_leaves(const char *dir, struct clear_report *r)
{
	static const char *const names[] = {"apiserver.crt",
	                                    "apiserver.key",
	                                    "apiserver-etcd-client.crt",
	                                    "apiserver-etcd-client.key",
	                                    "apiserver-kubelet-client.crt",
	                                    "apiserver-kubelet-client.key",
	                                    "front-proxy-client.crt",
	                                    "front-proxy-client.key",
	                                    NULL};
	static const char *const of_etcd[] = {"server.crt",
	                                      "server.key",
	                                      "peer.crt",
	                                      "peer.key",
	                                      "healthcheck-client.crt",
	                                      "healthcheck-client.key",
	                                      NULL};
	auto_free char *etcd = xasprintf("%s/etcd", dir);
	struct clear_opts opts = {.only = names, .others = "kept", .keep_dir = true};

	clear_dir(dir, &opts, r);
	opts.only = of_etcd;
	clear_dir(etcd, &opts, r);
}

static void clear_etcd(const char *dir, struct clear_report *r)
{
	static const char *const names[] = {"member", NULL};
	const struct clear_opts opts = {
	    .only = names, .others = "not etcd's", .keep_dir = strcmp(dir, ETCD_DIR) != 0};

	clear_dir(dir, &opts, r);
}

void reset_kubernetes_files(const struct static_pods *p, bool keep_ca, struct clear_report *r)
{
	if (keep_ca)
		clear_leaves(p->certs_dir, r);
	else
		clear_certs(p->certs_dir, r);
	clear_etcd(p->etcd_dir, r);
	if (strcmp(p->etcd_dir, ETCD_DIR) != 0)
		clear_etcd(ETCD_DIR, r);
	clear_etc(keep_ca, r);
	clear_dir("/var/lib/kubelet", NULL, r);
}

/* ---- ours ---- */

static void remove_links_in(const char *dir, struct clear_report *r)
{
	auto_strlist names = {0};
	struct err err = {0};

	if (!fs_exists(dir))
		return;
	if (fs_list(dir, &names, &err) < 0)
		clear_failed(r, dir, "%s", err.msg);
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf("%s/%s", dir, names.v[i]);

		if (commands_link_is_ours(path) || units_is_ours(path))
			clear_file(path, r);
	}
}

/* ~/.kube/config goes only if it is what we wrote. */
static void remove_kubeconfig(struct clear_report *r)
{
	json_t *state = state_load();
	const json_t *k = json_object_get(state, "kubeconfig");
	const char *path = json_text(k, "path");
	struct digest d;
	struct err ignored = {0};

	if (*path && digest_file(path, &d, NULL, &ignored) == 0) {
		if (strcmp(d.str, json_text(k, "digest")) == 0)
			clear_file(path, r);
		else
			clear_stayed(r, path, "changed since it was written");
	}
	json_decref(state);
	clear_dir("/root/.kube/cache", NULL, r);
	rmdir("/root/.kube"); /* only when empty */
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

void reset_our_files(struct clear_report *r)
{
	static const char *const link_dirs[] = {
	    DIR_BIN, "/etc/systemd/system/multi-user.target.wants", "/etc/systemd/system",
	    "/etc/sysctl.d", "/etc/modules-load.d"};
	static const char *const trees[] = {"/var/lib/containerd",
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
	static const char *const files[] = {"/etc/cni/net.d/10-flannel.conflist",
	                                    "/etc/cni/net.d/10-kubecask.conflist",
	                                    "/run/xtables.lock"};

	restore_sysctls();
	remove_kubeconfig(r);
	for (size_t i = 0; i < ARRAY_SIZE(link_dirs); i++)
		remove_links_in(link_dirs[i], r);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		clear_file(files[i], r);
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		clear_dir(trees[i], NULL, r);
	remove_made();
}
