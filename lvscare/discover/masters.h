/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kernel/rules.h"

struct config;
struct err;
struct events;

#define MASTERS_MAX  (DESTS_MAX / 2) /* as many strangers can be seen and removed beside them */
#define MASTERS_FILE "/var/lib/lvscare/masters"

/* Addresses of API servers, each once. */
struct addrs {
	struct addr a[MASTERS_MAX];
	size_t n;
};

bool addrs_have(const struct addrs *l, const struct addr *a);
/* Adds one that is not there yet; false when it does not fit. */
bool addrs_add(struct addrs *l, const struct addr *a);

/*
 * Which masters there are. The cluster's own list is the truth once it was read; until then the
 * list that was remembered counts, and the command line's seeds besides. A list is never replaced
 * by an empty one. Who was a master once is kept as a last resort: with nobody up, the cluster
 * cannot say who came back.
 */
struct masters {
	struct addr vs;
	struct addrs seeds;
	struct addrs known;  /* by the cluster, as it last said */
	struct addrs former; /* known once, the latest first */
	bool told;           /* the cluster has said it, and nothing came between */
};

void masters_init(struct masters *m, const struct addr *vs, const struct addr *seeds, size_t n);
/* Other seeds. */
void masters_seed(struct masters *m, const struct addr *seeds, size_t n);
/* The cluster says: these. True when that is news; an empty list is none. */
bool masters_learn(struct masters *m, const struct addrs *list);
/* Nobody of them is up: others count again until the cluster says it anew. */
void masters_doubt(struct masters *m);
/*
 * Who shall be asked for health. The first *sure of them are used as long as they are not known to
 * be bad, the others only once they have answered well.
 */
void masters_wanted(const struct masters *m, struct addrs *out, size_t *sure);

/*
 * The file in which the list survives a restart: words and values, one each line. It counts only
 * for the same virtual server and the same certificate authority (mark, of masters_mark), so that
 * another cluster's is never taken. masters_load: 1 when it was taken, 0 when there is none or it
 * is another cluster's, -1 with err when it cannot be read.
 */
int masters_load(struct masters *m, const char *path, uint64_t mark, struct err *err);
int masters_save(const struct masters *m, const char *path, uint64_t mark, struct err *err);
/* Removes the file unless it is another virtual server's; none is fine. */
int masters_forget(const struct addr *vs, const char *path, struct err *err);
/* Begins with the seeds and what the file says, if any; what that means is
 * told. */
void masters_start(struct masters *m, const struct config *c, struct events *ev);
/* What tells one file of certificates from another; 0 when it cannot be read. */
uint64_t masters_mark(const char *ca_file);
