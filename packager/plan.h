/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "part.h"
#include "release.h"
#include "steps.h"

#include <stdbool.h>

struct bundle_layer;
struct err;
struct layer;
struct plan;

/* Where things are and how they are to be made: main's options. */
struct settings {
	const char *parts, *patches, *releases; /* directories of the repository */
	const char *work, *out;
	/* programs made before */
	const char *lvscare, *pause, *netfilter_select, *log_runner, *nft, *install;
	const char *images;   /* directory of an image set, which is made instead of the bundle */
	struct strlist trees; /* "NAME=DIR": trees made before that layers of the set name */
	unsigned level, jobs, keep; /* keep: results of each step */
	bool update_lock;
};

#define PLAN_PARTS_MAX  16
#define PLAN_DEBS_MAX   8
#define PLAN_LAYERS_MAX 40

/* A set of Debian packages, unpacked into one tree. */
struct plan_debs {
	const struct plan *plan;
	const char *name;
	struct conf conf;
	struct step *step;
};

/* A layer: fill puts its content together once the steps it needs are done. */
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
	long long began; /* ns, by the clock: stands for "today" in keys */
	struct release release;
	struct conf env; /* what stands for the tools in every key */
	struct steps steps;
	struct part parts[PLAN_PARTS_MAX];
	struct step *compiled[PLAN_PARTS_MAX];
	size_t n_parts;
	struct strlist patches; /* of the kubeadm series for this version */
	struct strlist names;   /* see plan_keep */
	struct plan_debs debs[PLAN_DEBS_MAX];
	size_t n_debs;
	struct step *images; /* its record has an "image" line for each one that is asked for */
	struct plan_layer layers[PLAN_LAYERS_MAX];
	size_t n_layers;
};

/* A plan without steps: what is known of the version. lock names another lock file, or NULL. */
int plan_open(const struct settings *set, const char *version, const char *lock, struct plan *out,
              struct err *err);

/* Adds a step; ctx is borrowed. */
struct step *plan_add_step(struct plan *p, const char *verb, const char *what, void *ctx,
                           int (*inputs)(struct step *, struct strbuf *, struct err *),
                           int (*run)(struct step *, struct err *));
/* The compilation of DIR/NAME/part.conf; NULL with err. */
struct part *plan_add_part(struct plan *p, const char *dir, const char *name, struct err *err);
/* The packages of DIR/NAME/debs.conf; the step's record has their "tree". NULL with err. */
struct step *plan_add_debs(struct plan *p, const char *dir, const char *name, struct err *err);
/* A layer of what source has made; name and part are borrowed. */
struct plan_layer *
plan_add_layer(struct plan *p, const char *name, const struct part *part, struct step *source,
               int (*fill)(const struct plan_layer *, struct layer *, struct err *));

/* A copy of a name that lives as long as the plan. */
const char *plan_keep(struct plan *p, const char *name);

/* Runs all steps and holds what they took in against the lock, or writes a new one. */
int plan_run(struct plan *p, struct err *err);

/* Reads all descriptions of a bundle; fails before anything is built when one is missing. */
int plan_make(const struct settings *set, const char *version, struct plan *out, struct err *err);
const struct plan_layer *plan_find_layer(const struct plan *p, const char *name);
/* A finished layer, for an image. */
int plan_get_layer(const struct plan *p, const char *name, struct bundle_layer *out,
                   struct err *err);
struct step *plan_compiled(const struct plan *p, const char *part);
void plan_release(struct plan *p);
