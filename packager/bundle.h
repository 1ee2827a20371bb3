/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "digest.h"
#include "oci.h"

#include <stdint.h>

struct err;

/* A blob of the bundle: a file on disk, or bytes in memory. */
struct bundle_blob {
	struct digest digest;
	char *file; /* NULL: data */
	char *data;
	size_t len;
};

struct bundle {
	struct oci_index index;
	struct bundle_blob *blob;
	size_t n_blobs;
	int64_t epoch; /* stamp of all members and images */
};

/* A layer as layer_write has recorded it; strings are borrowed. */
struct bundle_layer {
	const char *file, *digest, *diff_id;
	uint64_t size;
};

struct bundle_image {
	const char *ref, *role; /* OCI_ROLE_... */
	const char *entrypoint; /* one word, or NULL */
	const char *const *cmd; /* words, NULL at the end; or NULL */
	const char *user;       /* "UID:GID", or NULL for root */
	const char *env;        /* "NAME=VALUE" beside PATH, or NULL */
	const char *workdir;    /* or NULL */
	const char *version;    /* a label that keeps images of the same layers apart, or NULL */
	const char *source;     /* module that it is compiled from, its version and the digest of */
	const char *revision;   /* the patches: labels, each may be NULL */
	const char *patches;
	const struct bundle_layer *layers;
	size_t n_layers;
};

int bundle_add_image(struct bundle *b, const struct bundle_image *image, struct err *err);

/* The node artifact; its annotations are for the caller to add to the returned descriptor. */
struct oci_descriptor *bundle_add_node(struct bundle *b, const struct bundle_layer *layers,
                                       size_t n, struct err *err);

/* A document of that media type beside the images: an artifact of its own. */
void bundle_add_document(struct bundle *b, const char *title, const char *type, const char *text);

/*
 * Writes the tar: oci-layout, index.json, then the blobs by digest. It has a temporary name until
 * it is whole. total is its size in bytes.
 */
int bundle_write(struct bundle *b, const char *path, struct digest *digest, uint64_t *total,
                 struct err *err);
/* A whole file takes the bundle's name; the sum of the one that was there goes before. A failure
 * removes the file. */
int bundle_replace(const char *temp, int fd, const char *path, struct err *err);
/* PATH.sha256, for sha256sum -c. */
int bundle_write_sum(const char *path, const struct digest *digest, struct err *err);
void bundle_release(struct bundle *b);
