/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct strbuf;

/*
 * The bundle format: an OCI image layout (opencontainers/image-spec v1.1) whose index lists the
 * container images and one node artifact per architecture. docs/bundle.md has the whole story.
 */
#define OCI_TYPE_INDEX      "application/vnd.oci.image.index.v1+json"
#define OCI_TYPE_MANIFEST   "application/vnd.oci.image.manifest.v1+json"
#define OCI_TYPE_CONFIG     "application/vnd.oci.image.config.v1+json"
#define OCI_TYPE_EMPTY      "application/vnd.oci.empty.v1+json"
#define OCI_TYPE_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
#define OCI_TYPE_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define OCI_TYPE_SPDX       "application/spdx+json"
#define OCI_TYPE_NODE       "application/vnd.kubecask.node.v1"
#define OCI_LAYOUT_JSON     "{\"imageLayoutVersion\":\"1.0.0\"}"

#define OCI_ANN_IMAGE_NAME  "io.containerd.image.name"
#define OCI_ANN_REF_NAME    "org.opencontainers.image.ref.name"
#define OCI_ANN_TITLE       "org.opencontainers.image.title"
#define OCI_ANN_K8S_VERSION "io.kubecask.kubernetes.version"
#define OCI_ANN_VERSION     "io.kubecask.version"        /* kubecask that packed it */
#define OCI_ANN_FORMAT      "io.kubecask.bundle.version" /* of the format: "1" */
#define OCI_ANN_SOURCE      "io.kubecask.source"
#define OCI_ANN_ROLE        "io.kubecask.role" /* which nodes need an image */
#define OCI_ANN_LVSCARE     "io.kubecask.lvscare.image"
#define OCI_ANN_COMPONENT   "io.kubecask.component." /* + name = version */
#define OCI_ROLE_ALL        "all"
#define OCI_ROLE_CP         "control-plane"

#define OCI_JSON_MAX        (4u << 20) /* bytes of an index or manifest, at most */
#define OCI_BLOBS_MAX       4096       /* entries in an index or layers in a manifest, at most */

struct oci_annotation {
	char *key, *value;
};

struct oci_descriptor {
	char *media_type;
	char *artifact_type; /* NULL on images */
	struct digest digest;
	uint64_t size;   /* bytes */
	char *os, *arch; /* NULL without platform */
	struct oci_annotation *ann;
	size_t n_ann;
};

/* index.json, or any nested index. */
struct oci_index {
	struct oci_descriptor *manifests;
	size_t n;
	struct oci_annotation *ann;
	size_t n_ann;
};

struct oci_manifest {
	char *artifact_type;
	struct oci_descriptor config;
	struct oci_descriptor *layers;
	size_t n_layers;
};

/* Parsers of untrusted bytes: strict about digests, sizes, types and counts; *out is zeroed on
 * failure. */
int oci_index_parse(const char *json, size_t len, struct oci_index *out, struct err *err);
int oci_manifest_parse(const char *json, size_t len, struct oci_manifest *out, struct err *err);

/* Canonical JSON: keys in a fixed order, no white space, the same bytes for the same content. */
void oci_index_write(const struct oci_index *index, struct strbuf *out);
void oci_manifest_write(const struct oci_manifest *m, struct strbuf *out);

/* An annotation's value, borrowed, or NULL. */
const char *oci_annotation(const struct oci_annotation *ann, size_t n, const char *key);
/* Adds one (copies); keeps the list sorted by key. */
void oci_annotate(struct oci_annotation **ann, size_t *n, const char *key, const char *value);

struct oci_descriptor *oci_index_add(struct oci_index *index);
struct oci_descriptor *oci_manifest_add_layer(struct oci_manifest *m);
void oci_descriptor_release(struct oci_descriptor *d);
void oci_index_release(struct oci_index *index);
void oci_manifest_release(struct oci_manifest *m);

/* "linux", "amd64": as Go names them; what this program was compiled for. */
const char *oci_host_arch(void);
