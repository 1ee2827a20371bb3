/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "part.h"
#include "release.h"
#include "steps.h"

#include <stdbool.h>

struct err;
struct layer;

/* Where things are and how they are to be made: main's options. */
struct settings {
	const char *parts, *patches, *releases; /* directories of the repository */
	const char *work, *out;
	const char *lvscare, *pause, *netfilter_select, *install; /* programs made before */
	unsigned level, jobs;
	bool update_lock;
};

#define PLAN_PARTS_MAX  16
#define PLAN_LAYERS_MAX 24

/* A layer: fill puts its content together once the steps it needs are done. */
struct plan;
struct plan_layer {
	const char *name;
	int (*fill)(const struct plan_layer *l, struct layer *out, struct err *err);
	const struct plan *plan;
	const struct part *part;   /* of a program's layer */
	const struct step *source; /* the step that made its content, or NULL */
	struct step *step;
};

/* Everything that is to be done for a package, and its results. */
struct plan {
	const struct settings *set;
	struct release release;
	struct conf env; /* what stands for the tools in every key */
	struct steps steps;
	struct part parts[PLAN_PARTS_MAX];
	struct step *compiled[PLAN_PARTS_MAX];
	size_t n_parts;
	struct strlist patches; /* of the kubeadm series for this version */
	struct conf debs;
	struct step *nettools, *images;
	struct plan_layer layers[PLAN_LAYERS_MAX];
	size_t n_layers;
};

/* Reads all descriptions; fails before anything is built when one is missing. */
int plan_make(const struct settings *set, const char *version, struct plan *out, struct err *err);
const struct plan_layer *plan_find_layer(const struct plan *p, const char *name);
const struct step *plan_compiled(const struct plan *p, const char *part);
void plan_release(struct plan *p);
