// SPDX-License-Identifier: Apache-2.0
/*
 * What cannot be made again of a cluster, in one file (backup.h): etcd's data and the files of a
 * master. It is written beside its name, synced and renamed: whole or not at all, readable for root
 * alone.
 */
#include "backup.h"

#include "digest.h"
#include "err.h"
#include "etcd.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "state.h"
#include "staticpods.h"
#include "strbuf.h"
#include "tarball.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define KUBERNETES "/etc/kubernetes"
#define STATE_FILE DIR_STATE "/state.json"
#define DEPTH_MAX  8
#define TEXT_MAX   (1u << 20)

/* ---- which files ---- */

/* Files by their name in the backup, with where they are and what they are. */
struct contents {
	struct strlist names, paths;
	json_t *files; /* [{name,size,digest}] */
};

static int add_file(struct contents *c, const char *name, const char *path, struct err *err)
{
	struct digest d;
	uint64_t size;

	if (digest_file(path, &d, &size, err) < 0)
		return -1;
	strlist_add(&c->names, name);
	strlist_add(&c->paths, path);
	json_array_append_new(c->files, json_pack("{ss sI ss}", "name", name, "size",
	                                          (json_int_t)size, "digest", d.str));
	return 0;
}

/* Regular files, also through links; directories only where they are none. What is no file, and
 * kubeadm's own backups, are left out. */
static int add_directory(struct contents *c, const char *name, const char *path, int depth,
                         struct err *err)
{
	auto_strlist entries = {0};

	if (depth > DEPTH_MAX)
		return err_set(err, "%s: more than %d directories deep", path, DEPTH_MAX);
	if (fs_list(path, &entries, err) < 0)
		return -1;
	for (size_t i = 0; i < entries.n; i++) {
		auto_free char *inner = xasprintf("%s/%s", name, entries.v[i]);
		auto_free char *at = xasprintf("%s/%s", path, entries.v[i]);
		struct stat link, file;
		int rc = 0;

		if (lstat(at, &link) < 0 || stat(at, &file) < 0 ||
		    strcmp(at, KUBERNETES "/tmp") == 0)
			continue;
		if (S_ISREG(file.st_mode))
			rc = add_file(c, inner, at, err);
		else if (S_ISDIR(link.st_mode))
			rc = add_directory(c, inner, at, depth + 1, err);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || !path[len]);
}

/* Without the keys of encryption at rest the Secrets in etcd's data are lost. */
static int add_encryption_keys(struct contents *c, struct err *err)
{
	static const char flag[] = "--encryption-provider-config=";
	auto_strbuf text = {0};
	auto_free char *path = NULL, *name = NULL;
	struct err ignored = {0};
	const char *hit;

	if (fs_read(KUBERNETES "/manifests/kube-apiserver.yaml", TEXT_MAX, &text, &ignored) < 0)
		return 0;
	hit = strstr(strbuf_str(&text), flag);
	if (!hit)
		return 0;
	hit += strlen(flag);
	path = xstrndup(hit, strcspn(hit, " \t\r\n\"'"));
	if (*path != '/' || is_below(path, KUBERNETES))
		return 0;
	if (!fs_exists(path))
		return err_set(err,
		               "%s: the API server encrypts with it, and it is not there by this "
		               "name: without it the Secrets of a backup cannot be read",
		               path);
	name = xasprintf("extra%s", path);
	return add_file(c, name, path, err);
}

/* What a machine needs to be that node again. */
static int add_kubelet(struct contents *c, struct err *err)
{
	static const char *const files[] = {"config.yaml",       "instance-config.yaml",
	                                    "kubeadm-flags.env", "pki/kubelet-client-current.pem",
	                                    "pki/kubelet.crt",   "pki/kubelet.key"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		auto_free char *path = xasprintf("/var/lib/kubelet/%s", files[i]);
		auto_free char *name = xasprintf("kubelet/%s", files[i]);

		if (fs_exists(path) && add_file(c, name, path, err) < 0)
			return -1;
	}
	return 0;
}

static int collect(struct contents *c, const struct static_pods *p, const char *database,
                   struct err *err)
{
	if (add_file(c, BACKUP_DATABASE, database, err) < 0 ||
	    add_directory(c, "kubernetes", KUBERNETES, 0, err) < 0)
		return -1;
	if (!is_below(p->certs_dir, KUBERNETES) &&
	    add_directory(c, "pki", p->certs_dir, 0, err) < 0)
		return -1;
	if (add_encryption_keys(c, err) < 0 || add_kubelet(c, err) < 0)
		return -1;
	return fs_exists(STATE_FILE) ? add_file(c, "state.json", STATE_FILE, err) : 0;
}

/* ---- the file ---- */

static json_t *member_names(const struct static_pods *p)
{
	json_t *now = json_object(), *names = json_array(), *m;
	struct err ignored = {0};
	size_t i;

	if (etcd_ask(p, p->etcd_url, now, &ignored) == 0)
		json_array_foreach (json_object_get(now, "members"), i, m)
			json_array_append(names, json_object_get(m, "name"));
	json_decref(now);
	return names;
}

static json_t *make_manifest(const struct contents *c, const struct static_pods *p)
{
	json_t *state = state_load(), *out;
	char created[32];
	struct utsname u;
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
	uname(&u);
	out = json_pack("{si ss ss ss ss ss so sO}", "format", BACKUP_FORMAT, "created", created,
	                "kubernetes", json_text(state, "k8s"), "bundle", json_text(state, "bundle"),
	                "machine", u.nodename, "vip",
	                json_text(json_object_get(state, "cluster"), "vip"), "members",
	                member_names(p), "files", c->files);
	json_decref(state);
	return out;
}

static int to_file(void *ctx, const void *data, size_t len, struct err *err)
{
	if (fs_write_all(*(int *)ctx, data, len) < 0)
		return err_set(err, "%s", strerror(errno));
	return 0;
}

static int write_entries(struct tar *t, const struct contents *c, const json_t *manifest,
                         struct err *err)
{
	auto_free char *text = json_dumps(manifest, JSON_INDENT(1));

	if (tar_add_data(t, BACKUP_MANIFEST, 0600, text, strlen(text), err) < 0)
		return -1;
	for (size_t i = 0; i < c->names.n; i++)
		if (tar_add_file(t, c->names.v[i], 0600, c->paths.v[i], err) < 0)
			return -1;
	return 0;
}

static int write_archive(const char *path, const struct contents *c, const json_t *manifest,
                         struct err *err)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct tar *t;

	if (fd < 0)
		return fs_fail(err, "create", path);
	t = tar_open(to_file, &fd, time(NULL), err);
	if (!t)
		return -1;
	if (write_entries(t, c, manifest, err) < 0) {
		tar_cancel(t);
		return err_wrap(err, "%s", path);
	}
	if (tar_finish(t, err) < 0)
		return err_wrap(err, "%s", path);
	return fsync(fd) < 0 ? fs_fail(err, "write", path) : 0;
}

static int write_backup(struct node *n, const struct static_pods *p, const char *file,
                        const char *part, const char *database, json_t *result, struct err *err)
{
	struct contents c = {.files = json_array()};
	json_t *manifest = NULL, *read = NULL;
	int rc;

	node_progress(n, "save etcd's data", 0, 0);
	rc = etcd_snapshot(p, p->etcd_url, database, err);
	if (rc == 0)
		rc = collect(&c, p, database, err);
	if (rc == 0) {
		node_progress(n, "write the backup", 0, 0);
		manifest = make_manifest(&c, p);
		rc = write_archive(part, &c, manifest, err);
	}
	if (rc == 0) { /* what was written, not what was meant */
		node_progress(n, "read it again", 0, 0);
		rc = backup_read(part, NULL, &read, err);
	}
	if (rc == 0)
		rc = fs_rename(part, file, err);
	if (rc == 0)
		json_object_set(result, "backup", manifest);
	json_decref(read);
	json_decref(manifest);
	json_decref(c.files);
	strlist_release(&c.names);
	strlist_release(&c.paths);
	return rc;
}

static int check_name(const char *file, struct err *err)
{
	auto_free char *dir = xstrdup(file);
	char *slash = strrchr(dir, '/');

	if (*file != '/' || !slash[1])
		return err_set(err, "%s: not the whole path of a file", file);
	if (fs_exists(file))
		return err_set(err, "%s is there already, it stays as it is", file);
	*(slash == dir ? slash + 1 : slash) = '\0';
	if (!fs_exists(dir))
		return err_set(err, "%s: there is no such directory", dir);
	return 0;
}

int op_backup(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *file = arg_string(args, "file", err);
	auto_free char *part = fs_temp_beside(file ? file : "");
	auto_free char *database = fs_temp_beside(file ? file : "");
	struct static_pods p;
	int rc;

	if (!file || check_name(file, err) < 0 || node_lock(n, err) < 0)
		return -1;
	static_pods_read(&p);
	fs_remove_temporaries(file);
	if (p.etcd && p.etcd_url)
		rc = write_backup(n, &p, file, part, database, result, err);
	else
		rc = err_set(err, "this machine has no member of etcd: take a master, or back up "
		                  "the etcd servers of your own");
	unlink(part);
	unlink(database);
	static_pods_release(&p);
	if (rc == 0)
		journal("backup written to %s", file);
	return rc;
}
