// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "digest.h"
#include "oci.h"
#include "strbuf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct trust;

/* Where a blob's bytes lie in the bundle. */
struct blob {
	struct digest digest;
	uint64_t offset, size;
	bool verified; /* reached from the index and its digest matched */
};

/*
 * An opened bundle (docs/bundle.md): one file descriptor for its whole life, read with pread, so
 * that processes forked later share it, and another file of its name does not matter. Everything in
 * it was verified when bundle_open returned. Index and manifests were parsed from the very bytes
 * that were verified and are kept; a blob's bytes are read again to be sent, and whoever gets them
 * compares the digest.
 */
struct bundle {
	int fd;
	char *path;
	struct strbuf index_json;
	struct digest index_digest;
	struct strlist signatures; /* texts of minisign's format */
	struct strlist signers;    /* ids of trusted keys whose signature holds */
	struct oci_index index;
	struct oci_manifest *manifests; /* as many as index.n, in its order */
	struct blob *blobs;
	size_t n_blobs;
	const struct oci_descriptor *node; /* the node artifact for this architecture; in index */
	const char *k8s_version;           /* "v1.37.2"; in index */
};

/*
 * The one kubecask-*-linux-*.tar in the directory dir, in *path (the caller's). None or several is
 * an EXIT_USAGE failure that lists them, and what has such a name and is no file.
 */
int bundle_find(const char *dir, char **path, struct err *err);

/*
 * Opens and verifies: every member is known and plain, index.json matches index.json.sha256, every
 * blob is reached from the index and matches its digest and size, and there is a node artifact for
 * arch. A PATH.sha256 file beside it must match too when there is one. EXIT_BAD_BUNDLE otherwise.
 * trust says who must have signed it, before the index is read, and whether it needs an SBOM.
 */
int bundle_open(const char *path, const char *arch, const struct trust *trust, struct bundle *b,
                struct err *err);
void bundle_release(struct bundle *b);

const struct blob *bundle_blob(const struct bundle *b, const struct digest *d); /* NULL: none */

/*
 * For a transfer that failed: reads the blob once more and fails with EXIT_BAD_BUNDLE when it is no
 * longer what was verified (the file was written to, or its disk is failing). 0: it is whole.
 */
int bundle_recheck(const struct bundle *b, const struct digest *d, struct err *err);

/* The document of that media type beside the images (of an SBOM: OCI_TYPE_SPDX); NULL: none. */
const struct oci_descriptor *bundle_document(const struct bundle *b, const char *type);
/* The versions of what is on the nodes, {"etcd":"v3.7.0"}; the caller's. */
json_t *bundle_components(const struct bundle *b);
/* Does a node of this kind need the image? */
bool bundle_wants(const struct oci_descriptor *image, bool control_plane);
/* The blobs that a node of this kind needs, each once, in *out (free); returns their number. */
size_t bundle_needs(const struct bundle *b, bool control_plane, const struct blob ***out);
/* Bytes that a node needs on the file systems of /opt and /var/lib, with a fifth to spare. */
void bundle_space(const struct bundle *b, bool control_plane, uint64_t *opt, uint64_t *var_lib);
