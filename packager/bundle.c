// SPDX-License-Identifier: Apache-2.0
#include "bundle.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"
#include "tarball.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IMAGE_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static struct bundle_blob *find_blob(struct bundle *b, const struct digest *digest)
{
	for (size_t i = 0; i < b->n_blobs; i++)
		if (digest_eq(&b->blob[i].digest, digest))
			return &b->blob[i];
	return NULL;
}

static void add_blob(struct bundle *b, struct bundle_blob blob)
{
	b->blob = xreallocarray(b->blob, b->n_blobs + 1, sizeof(*b->blob));
	b->blob[b->n_blobs++] = blob;
}

/* Keeps bytes as a blob and fills the descriptor's digest, size and type. */
static void add_data(struct bundle *b, const char *data, size_t len, const char *type,
                     struct oci_descriptor *d)
{
	digest_data(data, len, &d->digest);
	d->size = len;
	d->media_type = xstrdup(type);
	if (!find_blob(b, &d->digest))
		add_blob(b, (struct bundle_blob){
				.digest = d->digest, .data = xstrndup(data, len), .len = len});
}

static int add_layers(struct bundle *b, struct oci_manifest *m, const struct bundle_layer *layers,
                      size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct oci_descriptor *d = oci_manifest_add_layer(m);

		if (!digest_parse(layers[i].digest, &d->digest))
			return err_set(err, "layer %s: \"%s\" is no digest", layers[i].file,
			               layers[i].digest);
		d->size = layers[i].size;
		d->media_type = xstrdup(OCI_TYPE_LAYER_ZSTD);
		if (!find_blob(b, &d->digest))
			add_blob(b, (struct bundle_blob){.digest = d->digest,
			                                 .file = xstrdup(layers[i].file)});
	}
	return 0;
}

/* Adds the manifest to the index; m is released. */
static struct oci_descriptor *add_manifest(struct bundle *b, struct oci_manifest *m)
{
	struct oci_descriptor *d = oci_index_add(&b->index);
	auto_strbuf json = {0};

	oci_manifest_write(m, &json);
	add_data(b, json.buf, json.len, OCI_TYPE_MANIFEST, d);
	d->os = xstrdup("linux");
	d->arch = xstrdup("amd64");
	oci_manifest_release(m);
	return d;
}

static json_t *words_json(const char *const *words)
{
	json_t *array = json_array();

	for (; *words; words++)
		json_array_append_new(array, json_string(*words));
	return array;
}

/* The image's config, as the image specification has it. */
static char *config_json(const struct bundle_image *image, int64_t epoch)
{
	time_t t = (time_t)epoch;
	char created[32];
	struct tm tm;
	json_t *diffs = json_array(), *top;
	json_t *config = json_pack("{s:[ss*]}", "Env", IMAGE_PATH, image->env);
	const char *slash = strrchr(image->ref, '/'), *name = slash ? slash + 1 : image->ref;
	auto_free char *title = xstrndup(name, strcspn(name, ":"));
	char *text;

	gmtime_r(&t, &tm);
	strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
	/* images of the same layers stay apart for the runtime, which knows them by this config */
	json_object_set_new(config, "Labels",
	                    json_pack("{s:s,s:s,s:s*,s:s*,s:s*,s:s*}", OCI_ANN_TITLE, title,
	                              "org.opencontainers.image.vendor", "kubecask",
	                              "org.opencontainers.image.version", image->version,
	                              "org.opencontainers.image.source", image->source,
	                              "org.opencontainers.image.revision", image->revision,
	                              OCI_ANN_COMPONENT "kubeadm-patches", image->patches));
	for (size_t i = 0; i < image->n_layers; i++)
		json_array_append_new(diffs, json_string(image->layers[i].diff_id));
	if (image->entrypoint)
		json_object_set_new(config, "Entrypoint", json_pack("[s]", image->entrypoint));
	if (image->cmd)
		json_object_set_new(config, "Cmd", words_json(image->cmd));
	if (image->workdir)
		json_object_set_new(config, "WorkingDir", json_string(image->workdir));
	if (image->user)
		json_object_set_new(config, "User", json_string(image->user));
	top = json_pack("{s:s,s:o,s:s,s:s,s:{s:s,s:o}}", "architecture", "amd64", "config", config,
	                "created", created, "os", "linux", "rootfs", "type", "layers", "diff_ids",
	                diffs);
	text = json_dumps(top, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(top);
	return text;
}

int bundle_add_image(struct bundle *b, const struct bundle_image *image, struct err *err)
{
	auto_free char *config = config_json(image, b->epoch);
	struct oci_manifest m = {0};
	struct oci_descriptor *d;

	add_data(b, config, strlen(config), OCI_TYPE_CONFIG, &m.config);
	if (add_layers(b, &m, image->layers, image->n_layers, err) < 0) {
		oci_manifest_release(&m);
		return -1;
	}
	d = add_manifest(b, &m);
	oci_annotate(&d->ann, &d->n_ann, OCI_ANN_IMAGE_NAME, image->ref);
	oci_annotate(&d->ann, &d->n_ann, OCI_ANN_REF_NAME, image->ref);
	oci_annotate(&d->ann, &d->n_ann, OCI_ANN_ROLE, image->role);
	return 0;
}

struct oci_descriptor *bundle_add_node(struct bundle *b, const struct bundle_layer *layers,
                                       size_t n, struct err *err)
{
	struct oci_manifest m = {.artifact_type = xstrdup(OCI_TYPE_NODE)};
	struct oci_descriptor *d;

	add_data(b, "{}", 2, OCI_TYPE_EMPTY, &m.config);
	if (add_layers(b, &m, layers, n, err) < 0) {
		oci_manifest_release(&m);
		return NULL;
	}
	d = add_manifest(b, &m);
	d->artifact_type = xstrdup(OCI_TYPE_NODE);
	oci_annotate(&d->ann, &d->n_ann, OCI_ANN_TITLE, "node");
	return d;
}

void bundle_add_document(struct bundle *b, const char *title, const char *type, const char *text)
{
	struct oci_manifest m = {.artifact_type = xstrdup(type)};
	struct oci_descriptor *d;

	add_data(b, "{}", 2, OCI_TYPE_EMPTY, &m.config);
	add_data(b, text, strlen(text), type, oci_manifest_add_layer(&m));
	d = add_manifest(b, &m);
	d->artifact_type = xstrdup(type);
	oci_annotate(&d->ann, &d->n_ann, OCI_ANN_TITLE, title);
}

struct output {
	int fd;
	struct digest_ctx *digest;
	uint64_t bytes;
};

static int to_file(void *ctx, const void *data, size_t len, struct err *err)
{
	struct output *o = ctx;

	digest_update(o->digest, data, len);
	o->bytes += len;
	if (fs_write_all(o->fd, data, len) < 0)
		return err_set(err, "write: %s", strerror(errno));
	return 0;
}

static int by_digest(const void *a, const void *b)
{
	return strcmp(((const struct bundle_blob *)a)->digest.str,
	              ((const struct bundle_blob *)b)->digest.str);
}

static int add_member(struct tar *t, const struct bundle_blob *blob, struct err *err)
{
	auto_free char *name = xasprintf("blobs/sha256/%s", digest_hex(&blob->digest));

	if (!blob->file)
		return tar_add_data(t, name, 0644, blob->data, blob->len, err);
	return tar_add_file(t, name, 0644, blob->file, err);
}

static int add_members(struct bundle *b, struct tar *t, struct err *err)
{
	auto_strbuf index = {0}, sum = {0};
	struct digest digest;

	oci_index_write(&b->index, &index);
	/* every other byte is reached by digest from the index: this one guards it from damage */
	digest_data(index.buf, index.len, &digest);
	strbuf_addf(&sum, "%s\n", digest_hex(&digest));
	if (tar_add_data(t, "oci-layout", 0644, OCI_LAYOUT_JSON, strlen(OCI_LAYOUT_JSON), err) <
	        0 ||
	    tar_add_data(t, "index.json", 0644, index.buf, index.len, err) < 0 ||
	    tar_add_data(t, "index.json.sha256", 0644, sum.buf, sum.len, err) < 0)
		return -1;
	qsort(b->blob, b->n_blobs, sizeof(*b->blob), by_digest);
	for (size_t i = 0; i < b->n_blobs; i++)
		if (add_member(t, &b->blob[i], err) < 0)
			return -1;
	return 0;
}

static int write_tar(struct bundle *b, struct output *o, struct err *err)
{
	struct tar *t = tar_open(to_file, o, b->epoch, err);

	if (!t)
		return -1;
	if (add_members(b, t, err) < 0) {
		tar_cancel(t);
		return -1;
	}
	return tar_finish(t, err);
}

int bundle_replace(const char *temp, int fd, const char *path, struct err *err)
{
	auto_free char *sum = xasprintf("%s.sha256", path);

	if (fsync(fd) < 0) {
		fs_fail(err, "write", temp);
		unlink(temp);
		return -1;
	}
	unlink(sum);
	return fs_rename(temp, path, err);
}

int bundle_write(struct bundle *b, const char *path, struct digest *digest, uint64_t *total,
                 struct err *err)
{
	auto_free char *temp = fs_temp_beside(path);
	auto_close int fd = -1;
	struct output o;

	fs_remove_temporaries(path);
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	o = (struct output){.fd = fd};

	if (fd < 0)
		return err_set(err, "%s: %s", temp, strerror(errno));
	o.digest = digest_new();
	if (write_tar(b, &o, err) < 0) {
		digest_cancel(o.digest);
		unlink(temp);
		return err_wrap(err, "%s", temp);
	}
	digest_final(o.digest, digest);
	*total = o.bytes;
	return bundle_replace(temp, fd, path, err);
}

int bundle_write_sum(const char *path, const struct digest *digest, struct err *err)
{
	auto_free char *sum_path = xasprintf("%s.sha256", path);
	const char *slash = strrchr(path, '/');
	auto_free char *sum = xasprintf("%s  %s\n", digest_hex(digest), slash ? slash + 1 : path);

	return fs_write_atomic(sum_path, sum, strlen(sum), 0644, err);
}

void bundle_release(struct bundle *b)
{
	oci_index_release(&b->index);
	for (size_t i = 0; i < b->n_blobs; i++) {
		free(b->blob[i].file);
		free(b->blob[i].data);
	}
	free(b->blob);
	*b = (struct bundle){0};
}
