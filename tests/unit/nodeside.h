/* SPDX-License-Identifier: Apache-2.0 */
/* What a node sends, for tests that play one. */
#pragma once

#include "err.h"
#include "link.h"
#include "proto.h"
#include "strbuf.h"

#include <jansson.h>

/* The answer of an op that went well. */
static inline void answer(struct link *l, const char *text)
{
	auto_strbuf sb = {0};
	struct err ignored = {0};
	json_t *result = json_pack("{ss}", "text", text);

	msg_ok(&sb, result);
	json_decref(result);
	link_send(l, &sb, &ignored);
}
