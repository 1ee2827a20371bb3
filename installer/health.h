// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>

/*
 * The state of a whole cluster, as one of its masters learns it through the API servers (op
 * "health", health.c). Nothing is changed; other machines need no SSH. Members of the answer:
 *
 *   cluster      of op "cluster" (members.h)
 *   api_servers  [{node,address,version | error}]: each control plane node asked by itself
 *   lvscare      [{node,good,trouble,servers:[{address,state,said}]} | {node,error}]: what
 *                `lvscare status` says there; empty: the cluster has no virtual IP
 *   disks        [{node,bytes,free} | {node,error}]: kubelet's file system
 */

/*
 * Judges an answer. Returns the sentences of what is wrong, an array of strings, the caller's: each
 * names the thing at fault, what it means, and the way out.
 */
json_t *health_problems(const json_t *health);

/* The row of that node in one of the lists above; NULL: none. Borrowed. */
const json_t *health_row(const json_t *health, const char *list, const char *node);
/* The member of etcd on that node, by its address; NULL: none. Borrowed. */
const json_t *health_member(const json_t *health, const json_t *node);
