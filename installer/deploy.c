// SPDX-License-Identifier: Apache-2.0
/*
 * Puts a bundle's node artifact in place: DIR_OPT/<version>, `current` switched to it, links for
 * units, settings and commands, kernel modules and sysctls, containerd running. Each step leaves
 * the same result when repeated.
 */
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "oci.h"
#include "proc.h"
#include "state.h"
#include "store.h"
#include "strbuf.h"
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMAND_S    120
#define FILE_MODULES DIR_OPT "/modules-load.conf"

static const char *const commands[] = {"kubeadm", "kubelet", "kubectl", "ctr",
                                       "etcdctl", "lvscare", "crictl"};
static const char *const units[] = {"containerd.service", "kubelet.service"};

static int run(const char *const argv[], struct err *err)
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S};

	return proc_check(argv, &opts, NULL, err);
}

/* ---- files ---- */

static int unpack_blob(const struct digest *d, const char *dir, struct err *err)
{
	auto_free char *path = store_path(d);
	auto_close int fd = -1;

	if (!store_has(d))
		return err_set(err, "%s: missing or damaged on this node", d->str);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, "open %s: %s", path, strerror(errno));
	if (unpack_layer(fd, dir, err) < 0)
		return err_wrap(err, "%s", d->str);
	return 0;
}

static int unpack_artifact(const struct oci_descriptor *node, const char *dir, struct err *err)
{
	auto_strbuf json = {0};
	struct oci_manifest m = {0};
	int rc = 0;

	if (store_read(&node->digest, OCI_JSON_MAX, &json, err) < 0 ||
	    oci_manifest_parse(json.buf, json.len, &m, err) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < m.n_layers; i++)
		rc = unpack_blob(&m.layers[i].digest, dir, err);
	oci_manifest_release(&m);
	return rc;
}

/* The directory under its final name; one of the same name (a rebuilt bundle) goes away after. */
static int switch_directory(const char *tmp, const char *dir, struct err *err)
{
	auto_free char *old = xasprintf("%s.old", dir);

	if (fs_remove_tree(old, err) < 0)
		return -1;
	if (fs_exists(dir) && rename(dir, old) < 0)
		return err_set(err, "rename %s: %s", dir, strerror(errno));
	if (rename(tmp, dir) < 0)
		return err_set(err, "rename %s: %s", tmp, strerror(errno));
	return fs_remove_tree(old, err);
}

static int sync_filesystem(const char *dir, struct err *err)
{
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) < 0)
		return err_set(err, "sync %s: %s", dir, strerror(errno));
	return 0;
}

static int place_files(const struct oci_descriptor *node, const char *version,
                       const struct strbuf *index, struct err *err)
{
	auto_free char *dir = xasprintf(DIR_OPT "/%s", version);
	auto_free char *tmp = xasprintf("%s.tmp", dir);
	auto_free char *kept = xasprintf("%s/index.json", tmp);

	if (fs_remove_tree(tmp, err) < 0 || fs_mkdir_p(tmp, 0755, err) < 0 ||
	    unpack_artifact(node, tmp, err) < 0 ||
	    fs_write_atomic(kept, index->buf, index->len, 0644, err) < 0 ||
	    sync_filesystem(tmp, err) < 0 || switch_directory(tmp, dir, err) < 0)
		return -1;
	return fs_symlink_atomic(version, DIR_CURRENT, err);
}

/* This very program, kept on the node for `kubecask reset` and the like. */
static int place_self(struct err *err)
{
	struct digest mine, there;
	struct err ignored = {0};

	if (digest_file("/proc/self/exe", &mine, NULL, err) < 0)
		return -1;
	if (fs_exists(FILE_SELF) && digest_file(FILE_SELF, &there, NULL, &ignored) == 0 &&
	    digest_eq(&mine, &there))
		return 0;
	if (fs_mkdir_p(DIR_OPT "/bin", 0755, err) < 0 ||
	    fs_copy("/proc/self/exe", FILE_SELF, err) < 0)
		return -1;
	return chmod(FILE_SELF, 0755) == 0 ? 0 : err_set(err, FILE_SELF ": %s", strerror(errno));
}

/*
 * Directories that Kubernetes makes where they are missing (host paths of its pods among them):
 * those that were not there before us are noted once, deepest first, so that reset can take them
 * away.
 */
static int note_absent(struct err *err)
{
	static const char *const dirs[] = {"/etc/cni/net.d",
	                                   "/etc/cni",
	                                   "/opt/cni/bin",
	                                   "/opt/cni",
	                                   "/opt/containerd/bin",
	                                   "/opt/containerd/lib",
	                                   "/opt/containerd",
	                                   "/etc/ssl/certs",
	                                   "/etc/ssl",
	                                   "/etc/ca-certificates",
	                                   "/etc/pki/ca-trust",
	                                   "/etc/pki/tls/certs",
	                                   "/etc/pki/tls",
	                                   "/etc/pki",
	                                   "/usr/share/ca-certificates",
	                                   "/usr/local/share/ca-certificates",
	                                   "/usr/libexec/kubernetes/kubelet-plugins/volume/exec",
	                                   "/usr/libexec/kubernetes/kubelet-plugins/volume",
	                                   "/usr/libexec/kubernetes/kubelet-plugins",
	                                   "/usr/libexec/kubernetes"};
	json_t *state = state_load(), *list;
	bool known = json_object_get(state, "absent") != NULL;

	json_decref(state);
	if (known)
		return 0;
	list = json_array();
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (!fs_exists(dirs[i]))
			json_array_append_new(list, json_string(dirs[i]));
	return state_set("absent", list, err);
}

/* A link that is right already keeps its time of change. */
static int link_to(const char *target, const char *path, struct err *err)
{
	char now[256];
	ssize_t n = readlink(path, now, sizeof(now) - 1);

	if (n > 0 && (size_t)n == strlen(target) && memcmp(now, target, (size_t)n) == 0)
		return 0;
	return fs_symlink_atomic(target, path, err);
}

static int place_links(struct err *err)
{
	if (fs_mkdir_p(DIR_BIN, 0755, err) < 0 || fs_mkdir_p("/etc/sysctl.d", 0755, err) < 0 ||
	    fs_mkdir_p("/etc/modules-load.d", 0755, err) < 0 ||
	    fs_mkdir_p("/etc/cni/net.d", 0755, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		auto_free char *target = xasprintf(DIR_CURRENT "/bin/%s", commands[i]);
		auto_free char *path = xasprintf(DIR_BIN "/%s", commands[i]);

		if (fs_exists(target) && link_to(target, path, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		auto_free char *target = xasprintf(DIR_CURRENT "/systemd/%s", units[i]);
		auto_free char *path = xasprintf("/etc/systemd/system/%s", units[i]);

		if (link_to(target, path, err) < 0)
			return -1;
	}
	if (link_to(DIR_CURRENT "/sysctl.d/90-kubecask.conf", "/etc/sysctl.d/90-kubecask.conf",
	            err) < 0 ||
	    link_to(FILE_MODULES, "/etc/modules-load.d/kubecask.conf", err) < 0)
		return -1;
	return link_to(FILE_SELF, DIR_BIN "/kubecask", err);
}

/* ---- kernel ---- */

/* The lines of a settings file without comments and blanks. */
static int config_lines(const char *path, struct strlist *out, struct err *err)
{
	auto_strbuf text = {0};
	char *next, *line;

	if (fs_read(path, 65536, &text, err) < 0)
		return -1;
	next = text.buf;
	while (next && (line = strsep(&next, "\n"))) {
		line += strspn(line, " \t");
		if (*line && *line != '#' && *line != ';')
			strlist_add(out, line);
	}
	return 0;
}

/* Preflight has judged what is needed: a module that this kernel does not have is left out, as
 * systemd-modules-load.service would fail at each boot. */
static int load_modules(struct err *err)
{
	auto_strlist names = {0};
	auto_strbuf there = {0};

	if (config_lines(DIR_CURRENT "/modules-load.d/kubecask.conf", &names, err) < 0)
		return -1;
	strbuf_addf(&there, "# kubecask: what this kernel has of %s\n",
	            DIR_CURRENT "/modules-load.d/kubecask.conf");
	for (size_t i = 0; i < names.n; i++) {
		const char *argv[] = {"modprobe", "--", names.v[i], NULL};
		auto_free char *loaded = xasprintf("/sys/module/%s", names.v[i]);
		struct err why = {0};

		if (!fs_exists(loaded) && run(argv, &why) < 0)
			journal("modprobe %s: %s", names.v[i], why.msg);
		else
			strbuf_addf(&there, "%s\n", names.v[i]);
	}
	return fs_write_atomic(FILE_MODULES, there.buf, there.len, 0644, err);
}

/* The value before us, kept once for reset. */
static void keep_old_value(const char *key, const char *path)
{
	json_t *state = state_load(), *old = json_object_get(state, "sysctl");
	auto_strbuf value = {0};
	struct err ignored = {0};

	old = old ? json_incref(old) : json_object();
	if (!json_object_get(old, key) && fs_read(path, 4096, &value, &ignored) == 0) {
		char *s = value.buf;

		s[strcspn(s, "\n")] = '\0';
		json_object_set_new(old, key, json_string(s));
		state_set("sysctl", json_incref(old), &ignored);
	}
	json_decref(old);
	json_decref(state);
}

static int write_sysctl(char *line, struct err *err)
{
	auto_free char *path = NULL;
	auto_close int fd = -1;
	char *eq = strchr(line, '='), *key = line, *value;
	bool optional = *key == '-'; /* sysctl.d(5): failures of such a line do not matter */

	if (!eq)
		return 0;
	*eq = '\0';
	value = eq + 1 + strspn(eq + 1, " \t");
	key += optional;
	key[strcspn(key, " \t")] = '\0';
	if (strstr(key, "..") || strchr(key, '/'))
		return err_set(err, "sysctl %s: not a plain name", key);
	path = xasprintf("/proc/sys/%s", key);
	for (char *c = path + strlen("/proc/sys/"); *c; c++)
		if (*c == '.')
			*c = '/';
	keep_old_value(key, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if ((fd < 0 || write(fd, value, strlen(value)) < 0) && !optional)
		return err_set(err, "sysctl %s = %s: %s", key, value, strerror(errno));
	return 0;
}

static int set_sysctls(struct err *err)
{
	auto_strlist lines = {0};

	if (config_lines(DIR_CURRENT "/sysctl.d/90-kubecask.conf", &lines, err) < 0)
		return -1;
	for (size_t i = 0; i < lines.n; i++)
		if (write_sysctl(lines.v[i], err) < 0)
			return -1;
	return 0;
}

static int start_units(bool changed, struct err *err)
{
	const char *reload[] = {"systemctl", "daemon-reload", NULL};
	const char *enable[] = {"systemctl",       "-q", "enable", "containerd.service",
	                        "kubelet.service", NULL};
	const char *start[] = {"systemctl", changed ? "restart" : "start", "containerd.service",
	                       NULL};

	if (run(reload, err) < 0 || run(enable, err) < 0)
		return -1;
	if (run(start, err) < 0)
		return err_wrap(err, "start containerd (journalctl -u containerd)");
	return 0;
}

/* ---- the operation ---- */

static const struct oci_descriptor *find_node(const struct oci_index *index)
{
	for (size_t i = 0; i < index->n; i++) {
		const struct oci_descriptor *d = &index->manifests[i];

		if (d->artifact_type && strcmp(d->artifact_type, OCI_TYPE_NODE) == 0 && d->arch &&
		    strcmp(d->arch, oci_host_arch()) == 0)
			return d;
	}
	return NULL;
}

static bool in_place(const char *index_digest, const char *version)
{
	json_t *state = state_load();
	auto_free char *dir = xasprintf(DIR_OPT "/%s/index.json", version);
	char target[128];
	ssize_t n = readlink(DIR_CURRENT, target, sizeof(target) - 1);
	bool same = n > 0 && strcmp(state_string(state, "bundle"), index_digest) == 0 &&
	            fs_exists(dir);

	json_decref(state);
	if (!same)
		return false;
	target[n] = '\0';
	return strcmp(target, version) == 0;
}

static int deploy(struct node *n, const struct oci_index *index, const struct strbuf *json,
                  const char *digest, const char *role, json_t *result, struct err *err)
{
	const struct oci_descriptor *node = find_node(index);
	const char *version = node ? oci_annotation(node->ann, node->n_ann, OCI_ANN_K8S_VERSION)
	                           : NULL;
	bool changed;

	if (!version || *version != 'v' || strchr(version, '/'))
		return err_set_code(err, EXIT_BAD_BUNDLE, "no node artifact for %s",
		                    oci_host_arch());
	changed = !in_place(digest, version);
	if (changed) {
		node_progress(n, "unpack", 0, 0);
		if (place_files(node, version, json, err) < 0)
			return -1;
	}
	node_progress(n, "containerd", 0, 0);
	if (note_absent(err) < 0 || place_self(err) < 0 || place_links(err) < 0 ||
	    load_modules(err) < 0 || set_sysctls(err) < 0 || start_units(changed, err) < 0)
		return -1;
	json_object_set_new(result, "changed", json_boolean(changed));
	if (!changed)
		return 0;
	journal("files of %s (%s) in place", version, digest);
	if (state_set_string("k8s", version, err) < 0 || state_set_string("role", role, err) < 0)
		return -1;
	return state_set_string("bundle", digest, err);
}

int op_deploy(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *s = arg_string(args, "index", err);
	const char *role = arg_string(args, "role", err);
	auto_strbuf json = {0};
	struct oci_index index = {0};
	struct digest d;
	int rc;

	if (!s || !role)
		return -1;
	if (!digest_parse(s, &d))
		return err_set(err, "deploy: not a digest");
	if (node_lock(n, err) < 0 || store_read(&d, OCI_JSON_MAX, &json, err) < 0 ||
	    oci_index_parse(json.buf, json.len, &index, err) < 0)
		return -1;
	/* from here on this machine is one of ours, whatever happens */
	rc = state_set_string("version", KUBECASK_VERSION, err);
	if (rc == 0)
		rc = deploy(n, &index, &json, d.str, role, result, err);
	oci_index_release(&index);
	return rc;
}
