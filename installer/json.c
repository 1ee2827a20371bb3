// SPDX-License-Identifier: Apache-2.0
#include "json.h"

#include "strbuf.h"

const char *json_text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

bool json_flag(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

json_t *json_strings(const struct strlist *l)
{
	json_t *out = json_array();

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(out, json_string(l->v[i]));
	return out;
}
