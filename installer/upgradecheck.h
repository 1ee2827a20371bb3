// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct candidate;
struct findings;

/*
 * May the cluster of these machines be brought to version to ("v1.37.2")? Each machine has the
 * answers to op "facts" and op "cluster". Adds an error for each thing that speaks against it:
 * a version that is too far or older, an API server, a member of etcd or a node that is not well,
 * a node that is none of the machines. Pure: nothing is asked or changed here.
 *
 * rollback: back to a version that the cluster had, of the same minor; an API server or a node that
 * is not well is a warning, since that may be the reason to go back.
 */
void upgrade_check(const struct candidate *c, size_t n, const char *to, bool rollback,
                   struct findings *f);

/*
 * Adds an error for each thing that would stop the upgrade on its way, from the answers of the
 * masters to op "obstacles": pods that may never leave (only when workers are drained), webhooks
 * that nobody answers, clients of APIs that version to does not have. Who knows better may ignore
 * these. Pure.
 */
void upgrade_check_obstacles(const struct candidate *c, size_t n, const char *to, bool drains,
                             struct findings *f);

/* "v1.36.1" and "v1.36.3" are. false when one is no version. */
bool version_same_minor(const char *a, const char *b);
