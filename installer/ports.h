// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stddef.h>

struct candidate;
struct cluster_config;
struct findings;
struct jobs;

/*
 * Are the ports that the machines need of one another open between them? Each machine listens for a
 * short time on its free ports (op "listen", ports_listen.c) while the others try to get an answer
 * (op "reach", ports_reach.c); a port in use on a member of the cluster is only connected to.
 * Nothing is changed, and nothing listens any more afterwards.
 */

#define PORTS_TARGETS_MAX 256 /* that one machine tries; of more a sample is taken */
#define PORTS_NONCE_LEN   32
/* What is sent to a UDP port, and what a listening port answers: with the nonce behind it. */
#define PORTS_WORD       "kubecask port test "
#define PORTS_TIMEOUT_MS 3000

/* Tries all on the machines of jobs; c has one candidate for each, without facts when the machine
 * was not reached. Adds rows of check "Reach". A machine whose connection breaks has failed. */
void ports_try(struct jobs *jobs, const struct candidate *c, const struct cluster_config *cfg,
               struct findings *out);

/* ---- its pure parts ---- */

/* One machine's ports for the others to reach, as args of op "listen": {address, tcp, udp, nonce,
 * seconds}; NULL when it takes no part. The caller's. */
json_t *ports_listen_args(const struct candidate *c, const struct cluster_config *cfg,
                          size_t machines, const char *nonce);
/* What machine self tries: {targets:[{machine,address,port,proto,nonce}], pairs, left_out}; listens
 * has for each machine the args and the answer of op "listen" ({args,opened}) or null. */
json_t *ports_reach_args(const struct candidate *c, size_t n, size_t self,
                         const struct cluster_config *cfg, const json_t *listens);
/* Rows for the answers to op "reach": reaches has {args,result} for each machine, or null. */
void ports_judge(const struct candidate *c, size_t n, const json_t *reaches, struct findings *out);
