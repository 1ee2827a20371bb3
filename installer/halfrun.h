// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cluster.h"

#include <jansson.h>

struct err;
struct node;

/* What clearing an interrupted run may cost (args.clear of the ops "init" and "join"). */
#define CLEAR_COPIES "copies" /* what other members have too */
#define CLEAR_ALL    "all"

/*
 * On the node, before kubeadm init or join: decides again from the facts of this moment, whatever
 * the controller saw, and clears what an interrupted run left if that is safe or allowed by
 * args.clear. *what becomes HALF_NONE (begin), HALF_MEMBER (nothing to do) or HALF_CONTINUE (init
 * over what is there). -1: nothing was cleared, the sentence says why.
 */
int half_run_prepare(struct node *n, const json_t *args, enum half_run *what, struct err *err);
