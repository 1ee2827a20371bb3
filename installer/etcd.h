// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct err;
struct static_pods;

/*
 * etcd's own word on who its members are, through the bundle's etcdctl. Every question ends within
 * some seconds. The members as JSON: [{id (hex),name,peer_urls[],client_urls[],learner,started,
 * alive}]; a member that has not started yet has no name and no client URLs. Those that answer
 * have too: version, db_bytes, quota_bytes (from etcd 3.6 on), leader (its id, "0": none), errors
 * (alarms and the like, as etcd words them; missing: none).
 */

/* Asks any of urls (comma separated), with the certificates that the static pod of etcd names.
 * On success sets in out: "members", "self" (the id of the member that answered), "cluster_id",
 * "quorum" (false: the members could only be read without the others' consent). */
int etcd_ask(const struct static_pods *p, const char *urls, json_t *out, struct err *err);

/* Removes a member through any of urls. The cluster must have a quorum. */
int etcd_remove_member(const struct static_pods *p, const char *urls, const char *id,
                       struct err *err);

/* Saves a snapshot of the member at url into the file path, which must not exist. Its digest is
 * compared with the data. */
int etcd_snapshot(const struct static_pods *p, const char *url, const char *path, struct err *err);

/* Makes another voting member that answers the leader, where the member at url is; else nothing. */
int etcd_move_leader(const struct static_pods *p, const char *url, struct err *err);

/* Number of the cluster's nodes that etcd has a record of; -1: it does not say. */
int etcd_count_nodes(const struct static_pods *p, const char *urls);

/* Client URLs of the started members but the one with that id, comma separated; the caller's. */
char *etcd_other_urls(const json_t *members, const char *but);

/* Is the address the host of one of the member's peer URLs? */
bool etcd_member_is_at(const json_t *member, const char *address);

/* The member with that id in members, borrowed; NULL: none. */
json_t *etcd_member(const json_t *members, const char *id);

/* Voting members, and how many of them answer. */
struct etcd_voters {
	size_t all, alive;
};
struct etcd_voters etcd_count_voters(const json_t *members);
/* More than half of them answer. */
bool etcd_has_quorum(struct etcd_voters v);

/* The parts of etcd_ask: `etcdctl member list`, `etcdctl endpoint status`, both with -w fields. */
int etcd_parse_members(const char *text, json_t *out, struct err *err);
void etcd_parse_status(const char *text, json_t *members);
