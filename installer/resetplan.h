// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cluster.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct plan;
struct strbuf;

/*
 * What a reset of some machines does to the clusters they are in, as etcd's own lists of members
 * and the API servers tell it. Pure: nothing is asked or changed here.
 */
struct reset_machine {
	const struct cluster_view *view;
	char *id, *name; /* of its etcd member; NULL: it has none, or etcd does not know it */
	char *others;    /* client URLs of the other members, comma separated */
	bool unknown;    /* it has data of etcd's, and no etcd that answers knows its member */
	bool unreached;  /* nothing can be done there, but it was named */
	bool leaves;     /* others remain: its member is removed before its etcd is stopped */
};

struct reset_plan {
	struct reset_machine *v; /* one for each view, in that order */
	size_t n;
	size_t *order; /* in which members leave: those that do not answer first, then from the
	                  last machine to the first */
	char *remain;  /* names of etcd members that stay, comma separated; "": none */
	char *loss;    /* data that would be lost, or may be; "": none */
};

void reset_plan_init(struct reset_plan *p, const struct cluster_view *v, size_t n);
void reset_plan_release(struct reset_plan *p);

/* Is there anything of ours on the machine? True when that is not known. */
bool reset_plan_concerns(const struct reset_machine *m);

/* Arguments of op "reset" for a machine: {} or {etcd:{id,name,others},insist}. The caller's. */
json_t *reset_plan_args(const struct reset_plan *p, size_t machine, bool insist);
/* Adds a step for each machine that was reached: workers at once, then, one after the other,
 * masters and machines with an etcd member. */
void reset_plan_steps(const struct reset_plan *p, struct plan *out);

/* The question to the user: the machines with what is on them, what remains, what is lost. */
void reset_plan_question(const struct reset_plan *p, struct strbuf *out);
