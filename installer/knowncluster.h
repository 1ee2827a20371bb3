// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct err;
struct host;
struct hostlist;
struct options;
struct session;

/* For the commands that work on a cluster that is there: join and upgrade. */

/* The master to be asked: --from, else this machine. One host is appended. */
int known_seed(const struct options *o, struct hostlist *l, struct err *err);
/* The cluster's record as that master keeps it, brought in line with what the API server says; by a
 * short connection of its own. command: for the message. The caller's; NULL on failure. */
json_t *known_record(const struct session *s, const struct host *seed, const char *command,
                     struct err *err);
/* The cluster's own values instead of options; borrowed from the record. */
void known_options(struct options *o, const json_t *record);
/* Appends the machines of the record that are not in the session yet. optional: they may be out of
 * reach. */
int known_machines(struct session *s, const json_t *record, bool optional, struct err *err);
