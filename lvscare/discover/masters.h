/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kernel/rules.h"

#include <stdint.h>

struct err;
struct events;

#define MASTERS_MAX (DESTS_MAX / 2) /* as many strangers can be seen and removed beside them */
#define MASTERS_DIR "/var/lib/lvscare"

/* Addresses of API servers, each once. */
struct addrs {
	struct addr a[MASTERS_MAX];
	size_t n;
};

bool addrs_have(const struct addrs *l, const struct addr *a);
/* Adds one that is not there yet; false when it does not fit. */
bool addrs_add(struct addrs *l, const struct addr *a);

/*
 * Which masters there are. The cluster's own list is the truth once one of it was reached from this
 * node: addresses of another network must not push out flags that work. Until then the list that
 * was remembered counts, or the command line's seeds. A list is never replaced by an empty one. All
 * addresses ever known are kept as a last resort: with nothing usable, the cluster cannot say who
 * came back.
 */
struct masters {
	struct addr vs;
	struct addrs seeds;
	struct addrs known;    /* the cluster's list, of which one was reached */
	struct addrs listed;   /* a newer one, of which none was reached yet */
	struct addrs former;   /* known once, the latest first */
	struct addrs unproven; /* remembered by another certificate authority's cluster, perhaps */
	bool current; /* known is in force: the cluster said it, and nothing came between */
};

void masters_init(struct masters *m, const struct addr *vs, const struct addr *seeds, size_t n);
/* The cluster says: these. True when other servers are to be probed because of that. */
bool masters_learn(struct masters *m, const struct addrs *list);
/* A server is up. True when that puts the cluster's latest list in force. */
bool masters_reached(struct masters *m, const struct addr *a);
/* The kernel has this server, perhaps by an earlier daemon: it counts as one that was known once.
 */
void masters_found(struct masters *m, const struct addr *a);
/* Nothing is usable: all addresses count again until the cluster has said its list anew. */
void masters_doubt(struct masters *m);
/*
 * Which servers are to be probed. The first *sure of them are used as long as they are not known to
 * be bad, the others only once they have answered well.
 */
void masters_wanted(const struct masters *m, struct addrs *out, size_t *sure);
/* Which are written without a probe: what is known, the seeds and what was known before. */
void masters_untried(const struct masters *m, struct addrs *out);

/* What tells one certificate authority from another: a number for each certificate of a file. */
#define MARKS_MAX 8
struct marks {
	uint64_t v[MARKS_MAX];
	size_t n; /* 0: the file cannot be read */
};
void marks_read(struct marks *k, const char *ca_file);

#define MASTERS_PATH_MAX 96
/* The file of a virtual server, so that two daemons have two: MASTERS_DIR/masters-ADDRESS-PORT, in
 * which colons of the address become dots. */
void masters_path(char path[static MASTERS_PATH_MAX], const struct addr *vs);

/*
 * The file in which the list survives a restart: words and values, one each line. It counts only
 * for the same virtual server and when one certificate of the authority is still the same.
 * masters_load: 1 when it was taken; 0 when there is none, or it is perhaps another cluster's: then
 * its addresses are unproven, to be used once one proves by its certificate to be ours; -1 with
 * err when it cannot be read.
 */
int masters_load(struct masters *m, const char *path, const struct marks *marks, struct err *err);
int masters_save(const struct masters *m, const char *path, const struct marks *marks,
                 struct err *err);
/* Removes the file unless it is another virtual server's; none is fine. */
int masters_forget(const struct addr *vs, const char *path, struct err *err);
/* After masters_init: adds what the state file says, if there is one (NULL: none), and logs that.
 */
void masters_start(struct masters *m, const char *state_file, const char *ca_file,
                   struct events *ev);
