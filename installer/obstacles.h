// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>

/* APIs that clients have asked for since the API server began, and that later versions do not have:
 * [{group,version,resource,removed}], of its metrics. removed: the minor version, "1.32". */
void obstacles_parse_metrics(const char *text, json_t *out);
