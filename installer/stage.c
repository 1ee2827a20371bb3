// SPDX-License-Identifier: Apache-2.0
/*
 * Stage: unpacks a bundle's node artifact beside the version that runs. Nothing that runs, and
 * nothing outside DIR_OPT and DIR_STATE, is changed. A directory appears under its final name by
 * one rename when all of it is on the disk.
 */
#include "stage.h"

#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "oci.h"
#include "selinux.h"
#include "state.h"
#include "store.h"
#include "strbuf.h"
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- which version, and where ---- */

char *version_current(void)
{
	char target[256];
	ssize_t n = readlink(DIR_CURRENT, target, sizeof(target) - 1);

	if (n <= 0)
		return NULL;
	target[n] = '\0';
	if (strncmp(target, DIR_OPT "/", strlen(DIR_OPT "/")) == 0)
		return xstrdup(target + strlen(DIR_OPT "/"));
	return xstrdup(target);
}

void version_release(struct version *v)
{
	free(v->name);
	free(v->dir);
	free(v->k8s);
	*v = (struct version){0};
}

int version_complete(const char *dir, struct err *err)
{
	static const char *const files[] = {"bin/containerd",
	                                    "bin/ctr",
	                                    "bin/kubeadm",
	                                    "bin/kubelet",
	                                    "etc/containerd/config.toml",
	                                    "systemd/containerd.service",
	                                    "systemd/kubelet.service",
	                                    "sysctl.d/90-kubecask.conf",
	                                    "modules-load.d/kubecask.conf"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		auto_free char *path = xasprintf("%s/%s", dir, files[i]);

		if (access(path, F_OK) < 0)
			return err_set(err, "%s: %s is missing", dir, files[i]);
	}
	return 0;
}

static bool is_unpacked(const char *dir, const struct digest *index)
{
	auto_free char *path = xasprintf("%s/index.json", dir);
	struct err ignored = {0};
	struct digest got;

	return fs_exists(path) && digest_file(path, &got, NULL, &ignored) == 0 &&
	       digest_eq(&got, index) && version_complete(dir, &ignored) == 0;
}

/* The first of the names v1.37.2, v1.37.2-01234567, v1.37.2-0123456789abcdef ... that holds this
 * very bundle; else the first that is free. */
static int choose_directory(struct version *v, struct err *err)
{
	static const int lengths[] = {0, 8, 16, 32, 64};
	auto_free char *unused = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		auto_free char *name = xasprintf("%s%s%.*s", v->k8s, i ? "-" : "", lengths[i],
		                                 digest_hex(&v->index));
		auto_free char *dir = xasprintf(DIR_OPT "/%s", name);

		v->there = is_unpacked(dir, &v->index);
		if (v->there) {
			v->name = steal(&name);
			v->dir = steal(&dir);
			return 0;
		}
		if (!unused && !fs_exists(dir))
			unused = steal(&name);
	}
	if (!unused)
		return err_set(err, DIR_OPT "/%s: no directory is free for it", v->k8s);
	v->dir = xasprintf(DIR_OPT "/%s", unused);
	v->name = steal(&unused);
	return 0;
}

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

static bool plain_name(const char *s)
{
	return *s == 'v' && strlen(s) <= 64 && !strchr(s, '/');
}

int version_find(const json_t *args, struct version *v, struct err *err)
{
	const char *s = arg_string(args, "index", err), *k8s;
	const struct oci_descriptor *node;
	auto_strbuf json = {0};
	struct oci_index index = {0};

	*v = (struct version){0};
	if (!s)
		return -1;
	if (!digest_parse(s, &v->index))
		return err_set(err, "protocol: \"index\" is not a digest");
	if (store_read(&v->index, OCI_JSON_MAX, &json, err) < 0 ||
	    oci_index_parse(json.buf, json.len, &index, err) < 0)
		return -1;
	node = find_node(&index);
	k8s = node ? oci_annotation(node->ann, node->n_ann, OCI_ANN_K8S_VERSION) : NULL;
	if (k8s && plain_name(k8s)) {
		v->k8s = xstrdup(k8s);
		v->node = node->digest;
	}
	oci_index_release(&index);
	if (!v->k8s)
		return err_set_code(err, EXIT_BAD_BUNDLE, "no node artifact for %s",
		                    oci_host_arch());
	return choose_directory(v, err);
}

/* ---- unpacking ---- */

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

static int unpack_artifact(const struct digest *node, const char *dir, struct err *err)
{
	auto_strbuf json = {0};
	struct oci_manifest m = {0};
	int rc = 0;

	if (store_read(node, OCI_JSON_MAX, &json, err) < 0 ||
	    oci_manifest_parse(json.buf, json.len, &m, err) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < m.n_layers; i++) {
		rc = node_safe_point("the next layer was unpacked", err);
		if (rc == 0)
			rc = unpack_blob(&m.layers[i].digest, dir, err);
	}
	oci_manifest_release(&m);
	return rc;
}

static int sync_file_system(const char *dir, struct err *err)
{
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && syncfs(fd) == 0 ? 0 : fs_fail(err, "sync", dir);
}

static int fill(const struct version *v, const char *tmp, struct err *err)
{
	auto_free char *kept = xasprintf("%s/index.json", tmp);
	auto_strbuf json = {0};

	if (fs_mkdir_p(tmp, 0755, err) < 0 || unpack_artifact(&v->node, tmp, err) < 0)
		return -1;
	if (version_complete(tmp, err) < 0) {
		err->code = EXIT_BAD_BUNDLE;
		return -1;
	}
	if (store_read(&v->index, OCI_JSON_MAX, &json, err) < 0 ||
	    fs_write_atomic(kept, json.buf, json.len, 0644, err) < 0)
		return -1;
	selinux_restore(tmp);
	return sync_file_system(tmp, err);
}

/* What a run that was killed left: unpacked halves and temporary files. */
static void remove_leftovers(void)
{
	auto_strlist names = {0};
	struct err ignored = {0};

	store_remove_leftovers();
	state_remove_leftovers();
	if (!fs_exists(DIR_OPT) || fs_list(DIR_OPT, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf(DIR_OPT "/%s", names.v[i]);
		const char *end = strrchr(names.v[i], '.');

		if (*names.v[i] == 'v' && end &&
		    (strcmp(end, ".tmp") == 0 || strcmp(end, ".old") == 0))
			fs_remove_tree(path, &ignored);
	}
}

/* Notes the run that unpacks the version, for unstage; before it begins, so that a killed run
 * leaves no directory without a note. */
static int note_staged(const struct version *v, const char *run, struct err *err)
{
	json_t *state = NULL, *staged;
	int rc = state_read(&state, err);

	if (rc < 0)
		return -1;
	staged = json_object_get(state, "staged");
	staged = staged ? json_incref(staged) : json_object();
	if (run)
		json_object_set_new(staged, v->name,
		                    json_pack("{ss ss}", "index", v->index.str, "run", run));
	else
		json_object_del(staged, v->name);
	json_decref(state);
	return state_set("staged", staged, err);
}

/* The run's name, "" when the request belongs to none (runner.c). */
static const char *run_of(const json_t *args)
{
	const char *id = json_string_value(json_object_get(json_object_get(args, "run"), "id"));

	return id ? id : "";
}

int op_stage(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	auto_version v = {0};
	auto_free char *tmp = NULL;
	int rc;

	if (node_lock(n, err) < 0)
		return -1;
	remove_leftovers();
	if (version_find(args, &v, err) < 0)
		return -1;
	json_object_set_new(result, "changed", json_boolean(!v.there));
	json_object_set_new(result, "version", json_string(v.k8s));
	json_object_set_new(result, "dir", json_string(v.dir));
	if (v.there)
		return 0;
	node_progress(n, "unpack", 0, 0);
	tmp = xasprintf("%s.tmp", v.dir);
	if (note_staged(&v, run_of(args), err) < 0)
		return -1;
	rc = fill(&v, tmp, err);
	if (rc == 0 && rename(tmp, v.dir) < 0)
		rc = fs_fail(err, "rename to", v.dir);
	if (rc < 0) {
		struct err ignored = {0};

		fs_remove_tree(tmp, &ignored);
		return -1;
	}
	journal("%s (%s) unpacked to %s", v.k8s, v.index.str, v.dir);
	return sync_file_system(DIR_OPT, err);
}

/* ---- undo ---- */

/* Not the active version, not the one that deactivate goes back to. */
static bool in_use(const char *name, const json_t *state)
{
	auto_free char *current = version_current();
	const json_t *before = json_object_get(json_object_get(state, "activation"), "before");

	return (current && strcmp(current, name) == 0) ||
	       strcmp(json_text(before, "current"), name) == 0 ||
	       strcmp(json_text(json_object_get(state, "previous"), "current"), name) == 0;
}

int op_unstage(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	auto_version v = {0};
	auto_free char *tmp = NULL;
	json_t *state = NULL;
	const json_t *staged;
	bool remove;

	if (node_lock(n, err) < 0 || version_find(args, &v, err) < 0 || state_read(&state, err) < 0)
		return -1;
	staged = json_object_get(json_object_get(state, "staged"), v.name);
	remove = v.there && staged && strcmp(json_text(staged, "run"), run_of(args)) == 0 &&
	         strcmp(json_text(staged, "index"), v.index.str) == 0 && !in_use(v.name, state);
	json_decref(state);
	json_object_set_new(result, "changed", json_boolean(remove));
	if (!remove)
		return 0;
	tmp = xasprintf("%s.tmp", v.dir);
	if (rename(v.dir, tmp) < 0)
		return fs_fail(err, "rename", v.dir);
	if (fs_remove_tree(tmp, err) < 0)
		return -1;
	journal("%s removed again", v.dir);
	return note_staged(&v, NULL, err);
}
