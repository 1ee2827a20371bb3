/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct conf;
struct err;
struct strbuf;

enum layer_kind { LAYER_DIR, LAYER_LINK, LAYER_FILE, LAYER_DATA };

struct layer_entry {
	enum layer_kind kind;
	mode_t mode;
	char *path;
	char *from; /* file: where it is; link: its target; data: the text itself */
	char *id; /* file: a digest or other name of its content, or NULL: it is read for the key */
};

/* The content of one layer. Parents of all entries are added by layer_close, as 0755. */
struct layer {
	struct layer_entry *v;
	size_t n;
};

void layer_dir(struct layer *l, const char *path, mode_t mode);
void layer_link(struct layer *l, const char *path, const char *target);
void layer_data(struct layer *l, const char *path, mode_t mode, const char *text);
void layer_file(struct layer *l, const char *path, mode_t mode, const char *from, const char *id);
/* All files and links below dir, under the same names. */
int layer_tree(struct layer *l, const char *dir, struct err *err);
void layer_close(struct layer *l);
void layer_release(struct layer *l);

/* What the layer's bytes depend on, as text. */
int layer_inputs(const struct layer *l, struct strbuf *out, struct err *err);

/*
 * Writes it as a zstd blob below blobs (named by digest) and notes in the record: file, size,
 * digest, diff-id (digest of the tar), raw-size.
 */
int layer_write(const struct layer *l, const char *blobs, int level, int64_t mtime,
                struct conf *record, struct err *err);
