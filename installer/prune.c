// SPDX-License-Identifier: Apache-2.0
/*
 * prune on one machine (op "prune"): versions that were brought earlier, their blobs and images go.
 * What stays: the version that runs, what an activation that was cut off goes back to, and the
 * newest ones; so does an upgrade under way, whose version is the newest. An image stays while a
 * kept version or a container has it. Everything is decided before anything is removed.
 */
#include "containers.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "oci.h"
#include "stage.h"
#include "state.h"
#include "store.h"
#include "strbuf.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct unpacked {
	char *name, *dir;
	time_t since;
	struct digest digest; /* of its index */
	struct oci_index index;
	bool kept;
};

struct prune {
	struct unpacked *v;
	size_t n;
	struct strlist blobs;   /* hex digits: of kept versions */
	struct strlist configs; /* digests of the configurations of kept images */
	struct strlist refs;    /* names of kept images */
	struct strlist images;  /* names of those that go */
	struct strlist files;   /* names of blobs that go */
	uint64_t bytes;         /* of versions and blobs that go */
};

static void release(struct prune *p)
{
	for (size_t i = 0; i < p->n; i++) {
		oci_index_release(&p->v[i].index);
		free(p->v[i].name);
		free(p->v[i].dir);
	}
	free(p->v);
	strlist_release(&p->blobs);
	strlist_release(&p->configs);
	strlist_release(&p->refs);
	strlist_release(&p->images);
	strlist_release(&p->files);
}

/* ---- which versions there are, and which stay ---- */

static int add_version(struct prune *p, const char *name, struct err *err)
{
	auto_free char *dir = xasprintf(DIR_OPT "/%s", name);
	auto_free char *path = xasprintf("%s/index.json", dir);
	auto_strbuf json = {0};
	struct unpacked u = {0};
	struct stat st;

	if (stat(path, &st) < 0)
		return 0; /* not ours */
	if (fs_read(path, OCI_JSON_MAX, &json, err) < 0 ||
	    oci_index_parse(json.buf, json.len, &u.index, err) < 0)
		return err_wrap(err, "%s", path);
	digest_data(json.buf, json.len, &u.digest);
	u.since = st.st_mtime;
	u.name = xstrdup(name);
	u.dir = steal(&dir);
	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n++] = u;
	return 0;
}

/* Not a half that a killed run left: stage removes those. */
static bool is_version(const char *name)
{
	const char *end = strrchr(name, '.');

	return *name == 'v' && end && strcmp(end, ".tmp") != 0 && strcmp(end, ".old") != 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct unpacked *x = a, *y = b;

	if (x->since != y->since)
		return x->since < y->since ? 1 : -1;
	return strcmp(y->name, x->name);
}

static int find_versions(struct prune *p, const json_t *state, size_t keep, struct err *err)
{
	const json_t *before = json_object_get(json_object_get(state, "activation"), "before");
	auto_free char *current = version_current();
	auto_strlist names = {0};

	if (!current)
		return 0; /* nothing was ever active: nothing to judge by */
	if (fs_list(DIR_OPT, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (is_version(names.v[i]) && add_version(p, names.v[i], err) < 0)
			return -1;
	if (p->n)
		qsort(p->v, p->n, sizeof(*p->v), newest_first);
	for (size_t i = 0; i < p->n; i++)
		p->v[i].kept = i < keep || strcmp(p->v[i].name, current) == 0 ||
		               strcmp(p->v[i].name, json_text(before, "current")) == 0;
	return 0;
}

/* ---- blobs and images ---- */

/* A manifest that was never sent to this machine has nothing here: a worker lacks those of a
 * control plane. *there says so. */
static int read_manifest(const struct digest *d, struct oci_manifest *m, bool *there,
                         struct err *err)
{
	auto_free char *path = store_path(d);
	auto_strbuf json = {0};

	*there = fs_exists(path);
	if (!*there)
		return 0;
	if (store_read(d, OCI_JSON_MAX, &json, err) < 0)
		return -1;
	return oci_manifest_parse(json.buf, json.len, m, err);
}

static int keep_version(struct prune *p, const struct unpacked *u, struct err *err)
{
	strlist_add(&p->blobs, digest_hex(&u->digest));
	for (size_t i = 0; i < u->index.n; i++) {
		const struct oci_descriptor *d = &u->index.manifests[i];
		const char *ref = oci_annotation(d->ann, d->n_ann, OCI_ANN_IMAGE_NAME);
		struct oci_manifest m = {0};
		bool there;

		strlist_add(&p->blobs, digest_hex(&d->digest));
		if (ref)
			strlist_add(&p->refs, ref);
		if (read_manifest(&d->digest, &m, &there, err) < 0)
			return -1;
		if (!there)
			continue;
		strlist_add(&p->blobs, digest_hex(&m.config.digest));
		strlist_add(&p->configs, m.config.digest.str);
		for (size_t l = 0; l < m.n_layers; l++)
			strlist_add(&p->blobs, digest_hex(&m.layers[l].digest));
		oci_manifest_release(&m);
	}
	return 0;
}

static bool has(const struct strlist *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], s) == 0)
			return true;
	return false;
}

/* used: what containers say their image is, a name or the digest of its configuration. */
static int drop_images(struct prune *p, const struct unpacked *u, const struct strlist *used,
                       struct err *err)
{
	for (size_t i = 0; i < u->index.n; i++) {
		const struct oci_descriptor *d = &u->index.manifests[i];
		const char *ref = oci_annotation(d->ann, d->n_ann, OCI_ANN_IMAGE_NAME);
		struct oci_manifest m = {0};
		bool there;

		if (!ref || has(&p->refs, ref) || has(used, ref) || has(&p->images, ref))
			continue;
		if (read_manifest(&d->digest, &m, &there, err) < 0)
			return -1;
		/* a name of another image takes that along: they are one to containerd */
		if (there && !has(&p->configs, m.config.digest.str) &&
		    !has(used, m.config.digest.str) && containers_have_image(ref, d->digest.str))
			strlist_add(&p->images, ref);
		oci_manifest_release(&m);
	}
	return 0;
}

/* ---- what it weighs ---- */

static uint64_t weight;

static int weigh(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path, (void)type, (void)ftw;
	weight += (uint64_t)st->st_blocks * 512;
	return 0;
}

static uint64_t tree_bytes(const char *dir)
{
	weight = 0;
	nftw(dir, weigh, 16, FTW_PHYS | FTW_MOUNT);
	return weight;
}

static int drop_blobs(struct prune *p, struct err *err)
{
	auto_strlist names = {0};

	if (!fs_exists(DIR_BLOBS))
		return 0;
	if (fs_list(DIR_BLOBS, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf(DIR_BLOBS "/%s", names.v[i]);
		struct stat st;

		if (has(&p->blobs, names.v[i]) || lstat(path, &st) < 0)
			continue;
		strlist_add(&p->files, path);
		p->bytes += (uint64_t)st.st_blocks * 512;
	}
	return 0;
}

/* ---- the operation ---- */

static int decide(struct prune *p, const json_t *state, size_t keep, struct err *err)
{
	auto_strlist used = {0};

	if (find_versions(p, state, keep, err) < 0)
		return -1;
	if (!p->n)
		return 0;
	if (containers_images(&used, err) < 0)
		return -1;
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].kept && keep_version(p, &p->v[i], err) < 0)
			return -1;
	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].kept)
			continue;
		if (drop_images(p, &p->v[i], &used, err) < 0)
			return -1;
		p->bytes += tree_bytes(p->v[i].dir);
	}
	return drop_blobs(p, err);
}

static void report(const struct prune *p, json_t *result)
{
	json_t *versions = json_array();

	for (size_t i = 0; i < p->n; i++)
		if (!p->v[i].kept)
			json_array_append_new(versions, json_string(p->v[i].name));
	json_object_set_new(result, "versions", versions);
	json_object_set_new(result, "images", json_strings(&p->images));
	json_object_set_new(result, "blobs", json_integer((json_int_t)p->files.n));
	json_object_set_new(result, "bytes", json_integer((json_int_t)p->bytes));
}

static int remove_version(const struct unpacked *u, struct err *err)
{
	auto_free char *tmp = xasprintf("%s.tmp", u->dir);

	if (rename(u->dir, tmp) < 0)
		return fs_fail(err, "rename", u->dir);
	if (fs_remove_tree(tmp, err) < 0)
		return -1;
	journal("%s removed: %s is kept no longer", u->dir, u->name);
	return 0;
}

/* Images first: without its version nobody would know their names any more. */
static int execute(const struct prune *p, struct err *err)
{
	for (size_t i = 0; i < p->images.n; i++)
		if (node_safe_point("the next image was removed", err) < 0 ||
		    containers_remove_image(p->images.v[i], err) < 0)
			return -1;
	for (size_t i = 0; i < p->n; i++)
		if (!p->v[i].kept && (node_safe_point("the next version was removed", err) < 0 ||
		                      remove_version(&p->v[i], err) < 0))
			return -1;
	for (size_t i = 0; i < p->files.n; i++)
		if (unlink(p->files.v[i]) < 0)
			return fs_fail(err, "remove", p->files.v[i]);
	return 0;
}

int op_prune(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	json_int_t keep = json_integer_value(json_object_get(args, "keep"));
	struct prune p = {0};
	json_t *state = NULL;
	int rc;

	if (keep < 1)
		return err_set(err, "protocol: \"keep\" is missing");
	if (node_lock(n, err) < 0 || state_read(&state, err) < 0)
		return -1;
	rc = decide(&p, state, (size_t)keep, err);
	if (rc == 0)
		report(&p, result);
	if (rc == 0 && !json_flag(args, "look"))
		rc = execute(&p, err);
	release(&p);
	json_decref(state);
	return rc;
}
