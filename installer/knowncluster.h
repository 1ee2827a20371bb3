// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct err;
struct host;
struct hostlist;
struct installation;
struct options;
struct session;

/* For the commands that work on a cluster that is there: join and upgrade. */

/* The master to be asked: --from, else this machine. One host is appended. */
int known_seed(const struct options *o, struct hostlist *l, struct err *err);
/* Opens the login and reads the record alone: for a command that needs no bundle. */
int known_record(struct installation *in, const struct options *own, const struct host *seed,
                 const char *command, struct err *err);
/* Opens bundle and login, reads the cluster's record as that master keeps it (brought in line with
 * what the API server says) into in->record, and takes its values in place of own options, which
 * borrow them. command: for messages. */
int known_open(struct installation *in, struct options *own, const struct host *seed,
               const char *command, struct err *err);
/* The master that is asked before the machines of the session. */
void known_seed_first(struct session *s, const struct host *seed);
/* Appends the machines of the record that are not in the session yet. optional: they may be out of
 * reach. */
int known_machines(struct session *s, const json_t *record, bool optional, struct err *err);
/* All machines of the cluster: the master that is asked, those that were named, those of the
 * record. */
int known_all(struct session *s, const struct host *seed, const json_t *record, bool optional,
              struct err *err);
