// SPDX-License-Identifier: Apache-2.0
/* The only file that knows libfyaml. */
#include "yaml.h"

#include "err.h"
#include "mem.h"

#include <ctype.h>
#include <errno.h>
#include <libfyaml.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEPTH_MAX   64
#define MESSAGE_MAX 200

static bool one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(s, *words) == 0)
			return true;
	return false;
}

/* A plain (unquoted) scalar by YAML 1.1's rules as Go's decoder applies them. */
static json_t *plain_scalar(const char *s)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes",
	                                  "YES",  "on",   "On",   "ON",  NULL};
	static const char *const no[] = {"false", "False", "FALSE", "no",  "No",
	                                 "NO",    "off",   "Off",   "OFF", NULL};
	size_t sign = *s == '-' || *s == '+';
	char *end;

	if (one_of(s, nulls))
		return json_null();
	if (one_of(s, yes))
		return json_true();
	if (one_of(s, no))
		return json_false();
	if (isdigit((unsigned char)s[sign]) ||
	    (s[sign] == '.' && isdigit((unsigned char)s[sign + 1]))) {
		long long i;
		double d;

		errno = 0;
		i = strtoll(s, &end, 0);
		if (!*end && errno == 0)
			return json_integer(i);
		if (strspn(s + sign, "0123456789.eE+-") == strlen(s + sign)) {
			d = strtod(s, &end);
			if (!*end && isfinite(d))
				return json_real(d);
		}
	}
	return json_string(s);
}

static json_t *convert(struct fy_node *n, int depth);

static json_t *convert_mapping(struct fy_node *n, int depth)
{
	json_t *o = json_object();
	struct fy_node_pair *pair;
	void *iter = NULL;

	while ((pair = fy_node_mapping_iterate(n, &iter))) {
		struct fy_node *k = fy_node_pair_key(pair);
		json_t *v = convert(fy_node_pair_value(pair), depth + 1);
		size_t len = 0;
		const char *s = k ? fy_node_get_scalar(k, &len) : NULL;
		auto_free char *key = s ? xstrndup(s, len) : NULL;

		if (!key || !v || json_object_get(o, key)) {
			json_decref(v);
			json_decref(o);
			return NULL;
		}
		json_object_set_new(o, key, v);
	}
	return o;
}

static json_t *convert_sequence(struct fy_node *n, int depth)
{
	json_t *a = json_array();
	struct fy_node *item;
	void *iter = NULL;

	while ((item = fy_node_sequence_iterate(n, &iter))) {
		json_t *v = convert(item, depth + 1);

		if (!v || json_array_append_new(a, v) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *convert(struct fy_node *n, int depth)
{
	size_t len = 0;
	const char *s;

	if (depth > DEPTH_MAX)
		return NULL;
	if (!n)
		return json_null();
	if (fy_node_is_mapping(n))
		return convert_mapping(n, depth);
	if (fy_node_is_sequence(n))
		return convert_sequence(n, depth);
	s = fy_node_get_scalar(n, &len);
	auto_free char *text = xstrndup(s ? s : "", len);

	if (fy_node_get_style(n) == FYNS_PLAIN)
		return plain_scalar(text);
	return json_string(text);
}

/* libfyaml's first message of a parse, instead of on stderr. */
static void keep_first(struct fy_diag *diag, void *user, const char *text, size_t len)
{
	char *to = user;

	(void)diag;
	if (!*to)
		snprintf(to, MESSAGE_MAX, ": %.*s", (int)strcspn(text, "\n"), len ? text : "");
}

/* 1: a document was added, 0: the end, -1: failure. said: the parser's first message, or "". */
static int next_document(struct fy_parser *p, const char *what, const char *said, json_t *docs,
                         struct err *err)
{
	struct fy_document *d = fy_parse_load_document(p);
	json_t *v;

	if (!d)
		return fy_parser_get_stream_error(p)
		           ? err_set_code(err, EXIT_USAGE, "%s: not valid YAML%s", what, said)
		           : 0;
	if (fy_document_resolve(d) != 0) {
		fy_parse_document_destroy(p, d);
		return err_set_code(err, EXIT_USAGE, "%s: an anchor is not defined%s", what, said);
	}
	v = convert(fy_document_root(d), 0);
	fy_parse_document_destroy(p, d);
	if (json_is_null(v)) {
		json_decref(v);
		return 1;
	}
	if (!json_is_object(v)) {
		json_decref(v);
		return err_set_code(err, EXIT_USAGE,
		                    "%s: document %zu is not a mapping with plain, unique keys",
		                    what, json_array_size(docs) + 1);
	}
	json_array_append_new(docs, v);
	return 1;
}

json_t *yaml_documents(const char *text, size_t len, const char *what, struct err *err)
{
	char said[MESSAGE_MAX] = "";
	const struct fy_diag_cfg diag_cfg = {.output_fn = keep_first,
	                                     .user = said,
	                                     .level = FYET_ERROR,
	                                     .module_mask = ~0u,
	                                     .show_position = true};
	struct fy_parse_cfg cfg = {.diag = fy_diag_create(&diag_cfg)};
	struct fy_parser *p = cfg.diag ? fy_parser_create(&cfg) : NULL;
	json_t *docs = json_array(), *utf8 = json_stringn(text, len);
	int r = -1;

	/* libfyaml 0.7 loops for ever on some broken UTF-8 */
	if (!utf8 || memchr(text, '\0', len))
		err_set_code(err, EXIT_USAGE, "%s: not plain UTF-8 text", what);
	else if (!p || fy_parser_set_string(p, text, len) != 0)
		err_set(err, "%s: cannot be read as YAML", what);
	else
		while ((r = next_document(p, what, said, docs, err)) > 0)
			;
	json_decref(utf8);
	fy_parser_destroy(p);
	fy_diag_destroy(cfg.diag);
	if (r == 0)
		return docs;
	json_decref(docs);
	return NULL;
}
