// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct plan;
struct strbuf;
struct strlist;

/*
 * Nodes that are to be removed from a cluster, as one of its masters sees it (op "cluster",
 * members.h). Pure: nothing is asked or changed here. Strings are borrowed from that answer.
 */
struct removal {
	const char *name, *address;       /* of the Node */
	const char *id;                   /* of its etcd member; NULL: it has none */
	bool ready, control_plane, asked; /* asked: it is the master that answered */
};

struct removals {
	struct removal *v; /* in the order in which they go: members that do not answer first */
	size_t n;
	const json_t *cluster;
};

/* Finds the nodes by name or address. EXIT_USAGE with those that there are: one is none of them. */
int removals_find(struct removals *r, const json_t *cluster, const struct strlist *wanted,
                  struct err *err);
void removals_release(struct removals *r);

/*
 * May they go? Not the master that is asked; not the last one; not where etcd would lose its quorum
 * on the way: before and after each removal more than half of the voting members must answer.
 * dead: only nodes that are not Ready may be removed without their machines. EXIT_FAILED.
 */
int removals_check(const struct removals *r, bool dead, struct err *err);

/* Steps; asked: number of the master's machine, machines: those of the nodes, in their order
 * (dead: not looked at). */
void removals_plan(const struct removals *r, bool dead, int drain_s, size_t asked,
                   const char *asked_name, const size_t *machines, struct plan *out);

/* The question to the user. */
void removals_question(const struct removals *r, bool dead, struct strbuf *out);
