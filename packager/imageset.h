/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct bundle;
struct err;
struct plan;
struct settings;

/*
 * An archive of images that files describe, made as a bundle is: kubecask-pack --images DIR.
 *   DIR/programs/NAME/part.conf  a Go program that is put beside the archive; that of the name
 *                                "e2e" prints, for --list-images, the references to be made
 *   DIR/layers/NAME/             a layer: part.conf or debs.conf, or tree.conf ("tree = NAME" of
 *                                --tree, "file = PART PATH": a file of a part's main module), and
 *                                what lies below root/. The packager's own layer "base" is there.
 *   DIR/images/NAME.conf         an image: "name" (of the references it answers to, repeated),
 *                                "source" (upstream or substitute), "layer" (repeated, in order),
 *                                "entrypoint", "cmd" (repeated: one word each), "user"
 *   DIR/locks/VERSION.lock       hashes of all inputs
 */
int imageset_plan(const struct settings *set, const char *version, struct plan *out,
                  struct err *err);

/* Adds each listed image that has a description, and prints the list with what is not made. */
int imageset_fill(const struct plan *p, struct bundle *b, struct err *err);

/* The archive, its sha256 file and the programs, into set->out. */
int imageset_write(const struct plan *p, struct bundle *b, struct err *err);
