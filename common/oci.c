// SPDX-License-Identifier: Apache-2.0
#include "oci.h"

#include "err.h"
#include "mem.h"
#include "strbuf.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define BAD(err, ...) err_set_code((err), EXIT_BAD_BUNDLE, __VA_ARGS__)

const char *oci_host_arch(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#else
#error "no name for this architecture"
#endif
}

/* ---- annotations ---- */

const char *oci_annotation(const struct oci_annotation *ann, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(ann[i].key, key) == 0)
			return ann[i].value;
	return NULL;
}

void oci_annotate(struct oci_annotation **ann, size_t *n, const char *key, const char *value)
{
	size_t at = 0;

	while (at < *n && strcmp((*ann)[at].key, key) < 0)
		at++;
	if (at < *n && strcmp((*ann)[at].key, key) == 0) {
		free((*ann)[at].value);
		(*ann)[at].value = xstrdup(value);
		return;
	}
	*ann = xreallocarray(*ann, *n + 1, sizeof(**ann));
	memmove(*ann + at + 1, *ann + at, (*n - at) * sizeof(**ann));
	(*ann)[at] = (struct oci_annotation){.key = xstrdup(key), .value = xstrdup(value)};
	++*n;
}

static void annotations_release(struct oci_annotation *ann, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(ann[i].key);
		free(ann[i].value);
	}
	free(ann);
}

void oci_descriptor_release(struct oci_descriptor *d)
{
	free(d->media_type);
	free(d->artifact_type);
	free(d->os);
	free(d->arch);
	annotations_release(d->ann, d->n_ann);
	*d = (struct oci_descriptor){0};
}

static void descriptors_release(struct oci_descriptor *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		oci_descriptor_release(&d[i]);
	free(d);
}

void oci_index_release(struct oci_index *index)
{
	descriptors_release(index->manifests, index->n);
	annotations_release(index->ann, index->n_ann);
	*index = (struct oci_index){0};
}

void oci_manifest_release(struct oci_manifest *m)
{
	free(m->artifact_type);
	oci_descriptor_release(&m->config);
	descriptors_release(m->layers, m->n_layers);
	*m = (struct oci_manifest){0};
}

struct oci_descriptor *oci_index_add(struct oci_index *index)
{
	index->manifests = xreallocarray(index->manifests, index->n + 1, sizeof(*index->manifests));
	index->manifests[index->n] = (struct oci_descriptor){0};
	return &index->manifests[index->n++];
}

struct oci_descriptor *oci_manifest_add_layer(struct oci_manifest *m)
{
	m->layers = xreallocarray(m->layers, m->n_layers + 1, sizeof(*m->layers));
	m->layers[m->n_layers] = (struct oci_descriptor){0};
	return &m->layers[m->n_layers++];
}

/* ---- reading ---- */

/* A required or optional string member; where names its place in messages. */
static int get_string(const json_t *o, const char *key, bool required, const char *where,
                      char **out, struct err *err)
{
	const json_t *v = json_object_get(o, key);

	if (!v && !required)
		return 0;
	if (!json_is_string(v))
		return BAD(err, "%s: \"%s\" is %s", where, key, v ? "not a string" : "missing");
	*out = xstrdup(json_string_value(v));
	return 0;
}

static int get_annotations(const json_t *o, const char *where, struct oci_annotation **ann,
                           size_t *n, struct err *err)
{
	json_t *a = json_object_get(o, "annotations");
	const char *key;
	json_t *value;

	if (!a)
		return 0;
	if (!json_is_object(a) || json_object_size(a) > OCI_BLOBS_MAX)
		return BAD(err, "%s: \"annotations\" is not an object of strings", where);
	json_object_foreach (a, key, value) {
		if (!json_is_string(value))
			return BAD(err, "%s: annotation \"%s\" is not a string", where, key);
		oci_annotate(ann, n, key, json_string_value(value));
	}
	return 0;
}

static int get_platform(const json_t *o, const char *where, struct oci_descriptor *d,
                        struct err *err)
{
	const json_t *p = json_object_get(o, "platform");

	if (!p)
		return 0;
	if (!json_is_object(p))
		return BAD(err, "%s: \"platform\" is not an object", where);
	if (get_string(p, "os", true, where, &d->os, err) < 0)
		return -1;
	return get_string(p, "architecture", true, where, &d->arch, err);
}

static int get_descriptor(const json_t *o, const char *where, struct oci_descriptor *d,
                          struct err *err)
{
	const json_t *digest, *size;

	if (!json_is_object(o))
		return BAD(err, "%s: is not an object", where);
	digest = json_object_get(o, "digest");
	if (!digest_parse(json_string_value(digest), &d->digest))
		return BAD(err, "%s: \"digest\" is not sha256: and 64 hex digits", where);
	size = json_object_get(o, "size");
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return BAD(err, "%s: \"size\" is not a number of bytes", where);
	d->size = (uint64_t)json_integer_value(size);
	if (get_string(o, "mediaType", true, where, &d->media_type, err) < 0 ||
	    get_string(o, "artifactType", false, where, &d->artifact_type, err) < 0 ||
	    get_platform(o, where, d, err) < 0)
		return -1;
	return get_annotations(o, where, &d->ann, &d->n_ann, err);
}

/* The root object of a document of one of the two kinds. */
static json_t *load(const char *json, size_t len, const char *what, const char *type,
                    struct err *err)
{
	json_error_t je;
	json_t *root;
	const char *media;

	if (len > OCI_JSON_MAX) {
		BAD(err, "%s: larger than %u bytes", what, OCI_JSON_MAX);
		return NULL;
	}
	root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &je);
	if (!root) {
		BAD(err, "%s: line %d: %s", what, je.line, je.text);
		return NULL;
	}
	media = json_string_value(json_object_get(root, "mediaType"));
	if (json_integer_value(json_object_get(root, "schemaVersion")) != 2)
		BAD(err, "%s: \"schemaVersion\" is not 2", what);
	else if (!media || strcmp(media, type) != 0)
		BAD(err, "%s: \"mediaType\" is not %s", what, type);
	/* a document that two readers could take for two things (CVE-2021-41190) */
	else if (json_object_get(root, "manifests") && json_object_get(root, "layers"))
		BAD(err, "%s: both \"manifests\" and \"layers\"", what);
	else
		return root;
	json_decref(root);
	return NULL;
}

static const json_t *get_array(const json_t *root, const char *key, const char *what,
                               struct err *err)
{
	const json_t *a = json_object_get(root, key);

	if (json_is_array(a) && json_array_size(a) <= OCI_BLOBS_MAX)
		return a;
	BAD(err, "%s: \"%s\" is not a list of at most %d entries", what, key, OCI_BLOBS_MAX);
	return NULL;
}

static int fill_index(const json_t *root, struct oci_index *out, struct err *err)
{
	const json_t *list = get_array(root, "manifests", "index.json", err);
	char where[64];

	if (!list)
		return -1;
	for (size_t i = 0; i < json_array_size(list); i++) {
		snprintf(where, sizeof(where), "index.json: manifests[%zu]", i);
		if (get_descriptor(json_array_get(list, i), where, oci_index_add(out), err) < 0)
			return -1;
	}
	return get_annotations(root, "index.json", &out->ann, &out->n_ann, err);
}

int oci_index_parse(const char *json, size_t len, struct oci_index *out, struct err *err)
{
	json_t *root = load(json, len, "index.json", OCI_TYPE_INDEX, err);
	int rc;

	*out = (struct oci_index){0};
	if (!root)
		return -1;
	rc = fill_index(root, out, err);
	json_decref(root);
	if (rc < 0)
		oci_index_release(out);
	return rc;
}

static int fill_manifest(const json_t *root, struct oci_manifest *out, struct err *err)
{
	const json_t *list = get_array(root, "layers", "manifest", err);
	char where[64];

	if (!list ||
	    get_string(root, "artifactType", false, "manifest", &out->artifact_type, err) < 0 ||
	    get_descriptor(json_object_get(root, "config"), "manifest: config", &out->config, err) <
	        0)
		return -1;
	for (size_t i = 0; i < json_array_size(list); i++) {
		snprintf(where, sizeof(where), "manifest: layers[%zu]", i);
		if (get_descriptor(json_array_get(list, i), where, oci_manifest_add_layer(out),
		                   err) < 0)
			return -1;
	}
	return 0;
}

int oci_manifest_parse(const char *json, size_t len, struct oci_manifest *out, struct err *err)
{
	json_t *root = load(json, len, "manifest", OCI_TYPE_MANIFEST, err);
	int rc;

	*out = (struct oci_manifest){0};
	if (!root)
		return -1;
	rc = fill_manifest(root, out, err);
	json_decref(root);
	if (rc < 0)
		oci_manifest_release(out);
	return rc;
}

/* ---- writing ---- */

static json_t *annotations_json(const struct oci_annotation *ann, size_t n)
{
	json_t *a = json_object();

	for (size_t i = 0; i < n; i++) /* sorted by oci_annotate */
		json_object_set_new(a, ann[i].key, json_string(ann[i].value));
	return a;
}

static json_t *descriptor_json(const struct oci_descriptor *d)
{
	json_t *o = json_object();

	json_object_set_new(o, "mediaType", json_string(d->media_type));
	if (d->artifact_type)
		json_object_set_new(o, "artifactType", json_string(d->artifact_type));
	json_object_set_new(o, "digest", json_string(d->digest.str));
	json_object_set_new(o, "size", json_integer((json_int_t)d->size));
	if (d->os)
		json_object_set_new(o, "platform",
		                    json_pack("{ss ss}", "architecture", d->arch, "os", d->os));
	if (d->n_ann)
		json_object_set_new(o, "annotations", annotations_json(d->ann, d->n_ann));
	return o;
}

static json_t *list_json(const struct oci_descriptor *d, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, descriptor_json(&d[i]));
	return a;
}

/* Compact, members in the order they were set; takes over root. */
static void dump(json_t *root, struct strbuf *out)
{
	char *s = json_dumps(root, JSON_COMPACT);

	if (!s)
		abort(); /* only when a string is not UTF-8: ours are */
	strbuf_addstr(out, s);
	free(s);
	json_decref(root);
}

void oci_index_write(const struct oci_index *index, struct strbuf *out)
{
	json_t *root = json_object();

	json_object_set_new(root, "schemaVersion", json_integer(2));
	json_object_set_new(root, "mediaType", json_string(OCI_TYPE_INDEX));
	json_object_set_new(root, "manifests", list_json(index->manifests, index->n));
	if (index->n_ann)
		json_object_set_new(root, "annotations",
		                    annotations_json(index->ann, index->n_ann));
	dump(root, out);
}

void oci_manifest_write(const struct oci_manifest *m, struct strbuf *out)
{
	json_t *root = json_object();

	json_object_set_new(root, "schemaVersion", json_integer(2));
	json_object_set_new(root, "mediaType", json_string(OCI_TYPE_MANIFEST));
	if (m->artifact_type)
		json_object_set_new(root, "artifactType", json_string(m->artifact_type));
	json_object_set_new(root, "config", descriptor_json(&m->config));
	json_object_set_new(root, "layers", list_json(m->layers, m->n_layers));
	dump(root, out);
}
