// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* On a Node that we made unschedulable; its value is the name of the run. */
#define DRAIN_ANNOTATION "kubecask.io/drained-by"

/* Has that Node, as the API server gives it, the annotation? */
bool drain_is_marked(const json_t *node);
