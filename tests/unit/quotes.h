/* SPDX-License-Identifier: Apache-2.0 */
/* JSON in C strings without backslashes. */
#pragma once

#include "mem.h"
#include "unit.h"

#include <jansson.h>

/* JSON with ' for ". The caller's. */
static inline json_t *parse(const char *s)
{
	auto_free char *text = xstrdup(s);
	json_error_t e;
	json_t *v;

	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	v = json_loads(text, 0, &e);
	if (!v)
		fail_msg("%s at %d", e.text, e.position);
	return v;
}
