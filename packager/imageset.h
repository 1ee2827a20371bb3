/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct bundle;
struct err;
struct plan;
struct settings;

/*
 * An archive of images that files describe, made as a bundle is: kubecask-pack --images DIR.
 *
 * DIR/programs/NAME/part.conf: a Go program that is put beside the archive. The one called "e2e"
 * prints the references to be made when it is run with --list-images.
 *
 * DIR/layers/NAME/: a layer, of the program of part.conf or the packages of debs.conf, then what
 * tree.conf names ("tree = NAME" of --tree, "file = PART PATH" of a part's main module, "link =
 * PATH TARGET") and what lies below root/. The packager's own layer "base" can be used too.
 *
 * DIR/images/NAME.conf: an image: "name" (repositories it answers to, without registry), "source"
 * (upstream or substitute), "layer" (in order), "entrypoint", "cmd" (one word each), "user".
 *
 * DIR/locks/VERSION.lock: hashes of all inputs.
 */
int imageset_plan(const struct settings *set, const char *version, struct plan *out,
                  struct err *err);

/* Adds each listed image that has a description, and prints the list with what is not made. */
int imageset_fill(const struct plan *p, struct bundle *b, struct err *err);

/* The archive, its sha256 file and the programs, into set->out. */
int imageset_write(const struct plan *p, struct bundle *b, struct err *err);
