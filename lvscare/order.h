/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "net.h"

/*
 * Puts servers in an order that is a node's own: a hundred nodes that start together then do not
 * all connect to the same API server first. The same name always gives the same order.
 */
void order_for_node(struct addr *rs, size_t n, const char *node);
/* The same with this node's host name. */
void order_here(struct addr *rs, size_t n);
