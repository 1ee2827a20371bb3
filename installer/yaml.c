// SPDX-License-Identifier: Apache-2.0
/* The only file that knows libfyaml. */
#include "yaml.h"

#include "err.h"
#include "mem.h"

#include <ctype.h>
#include <errno.h>
#include <libfyaml.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEPTH_MAX   64
#define NODES_MAX   200000 /* of a document, aliases expanded */
#define MESSAGE_MAX 200

#define TAG_PREFIX  "tag:yaml.org,2002:"

/* The conversion of one document. */
struct conversion {
	size_t nodes;
	char why[MESSAGE_MAX]; /* it failed */
};

static json_t *refuse(struct conversion *c, struct fy_node *n, const char *why, const char *what)
{
	struct fy_token *t = n ? fy_node_get_scalar_token(n) : NULL;
	const struct fy_mark *mark = t ? fy_token_start_mark(t) : NULL;

	if (*c->why)
		return NULL;
	if (mark)
		snprintf(c->why, sizeof(c->why), "line %d: %s%.80s", mark->line + 1, why, what);
	else
		snprintf(c->why, sizeof(c->why), "%s%.80s", why, what);
	return NULL;
}

/* ---- scalars ---- */

static bool one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(s, *words) == 0)
			return true;
	return false;
}

/* strconv.ParseInt with base 0: 1: an integer, 0: not one, -1: too large for JSON here. */
static int parse_integer(const char *s, long long *out)
{
	bool negative = *s == '-';
	const char *p = s + (*s == '-' || *s == '+');
	int base = 10;
	char *end;
	unsigned long long v;

	if (*p == '0' && p[1]) {
		int c = tolower((unsigned char)p[1]);

		base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
		p += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
	}
	if (!isxdigit((unsigned char)*p)) /* no sign and no second prefix */
		return 0;
	if (base == 16 && p[0] == '0' && tolower((unsigned char)p[1]) == 'x')
		return 0;
	errno = 0;
	v = strtoull(p, &end, base);
	if (*end)
		return 0;
	if (errno || v > (negative ? (unsigned long long)LLONG_MAX + 1 : LLONG_MAX))
		return -1;
	*out = negative ? (long long)(0 - v) : (long long)v;
	return 1;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(const char *s)
{
	static const char digits[] = "0123456789";
	size_t before, after = 0;

	s += *s == '-' || *s == '+';
	before = strspn(s, digits);
	s += before;
	if (*s == '.') {
		after = strspn(s + 1, digits);
		s += 1 + after;
	}
	if (!before && !after)
		return false;
	if (*s == 'e' || *s == 'E') {
		s += 1 + (s[1] == '-' || s[1] == '+');
		if (!isdigit((unsigned char)*s))
			return false;
		s += strspn(s, digits);
	}
	return !*s;
}

/* A float as Go writes it in JSON: without a point when it is a whole number. */
static json_t *number(double d)
{
	return d == floor(d) && fabs(d) < 9e18 ? json_integer((json_int_t)d) : json_real(d);
}

static json_t *resolve_number(struct conversion *c, struct fy_node *n, const char *s)
{
	auto_free char *plain = xstrdup(s);
	char *to = plain;
	long long i;
	double d;

	for (const char *p = s; *p; p++) /* 1_000 */
		if (*p != '_')
			*to++ = *p;
	*to = '\0';
	if (*s != '.')
		switch (parse_integer(plain, &i)) {
		case 1:
			return json_integer(i);
		case -1:
			return refuse(c, n, "the number is too large: ", s);
		default:
			break;
		}
	if (!is_float(plain))
		return json_string(s);
	d = strtod(plain, NULL);
	return isfinite(d) ? number(d) : json_string(s);
}

/* A plain (unquoted) scalar by the rules of YAML 1.1 as Go's decoder applies them (go.yaml.in/yaml,
 * v2, resolve.go). */
static json_t *plain_scalar(struct conversion *c, struct fy_node *n, const char *s)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const yes[] = {"y",    "Y",    "yes", "Yes", "YES", "true",
	                                  "True", "TRUE", "on",  "On",  "ON",  NULL};
	static const char *const no[] = {"n",     "N",     "no",  "No",  "NO",  "false",
	                                 "False", "FALSE", "off", "Off", "OFF", NULL};
	static const char *const none[] = {".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", NULL};

	if (one_of(s, nulls))
		return json_null();
	if (one_of(s, yes))
		return json_true();
	if (one_of(s, no))
		return json_false();
	if (one_of(s + (*s == '-' || *s == '+'), none))
		return refuse(c, n, "JSON has no such number: ", s);
	if (isdigit((unsigned char)*s) || *s == '-' || *s == '+' || *s == '.')
		return resolve_number(c, n, s);
	return json_string(s);
}

/* A scalar with a tag such as !!str. */
static json_t *tagged_scalar(struct conversion *c, struct fy_node *n, const char *tag,
                             const char *text)
{
	const char *name = strncmp(tag, TAG_PREFIX, strlen(TAG_PREFIX)) == 0
	                       ? tag + strlen(TAG_PREFIX)
	                       : "";
	json_t *v;

	if (strcmp(name, "str") == 0 || strcmp(name, "timestamp") == 0 || strcmp(tag, "!") == 0)
		return json_string(text);
	v = plain_scalar(c, n, text);
	if (!v || (strcmp(name, "int") == 0 && json_is_integer(v)) ||
	    (strcmp(name, "float") == 0 && json_is_number(v)) ||
	    (strcmp(name, "bool") == 0 && json_is_boolean(v)) ||
	    (strcmp(name, "null") == 0 && json_is_null(v)))
		return v;
	json_decref(v);
	return refuse(c, n, "the value does not fit its tag: ", text);
}

static json_t *convert_scalar(struct conversion *c, struct fy_node *n)
{
	size_t len = 0, tag_len = 0;
	const char *s = fy_node_get_scalar(n, &len), *t = fy_node_get_tag(n, &tag_len);
	auto_free char *text = xstrndup(s ? s : "", s ? len : 0);
	auto_free char *tag = xstrndup(t ? t : "", t ? tag_len : 0);

	if (*tag)
		return tagged_scalar(c, n, tag, text);
	return fy_node_get_style(n) == FYNS_PLAIN ? plain_scalar(c, n, text) : json_string(text);
}

/* ---- mappings and lists ---- */

static json_t *convert(struct conversion *c, struct fy_node *n, int depth);

/* The name of a member: keys that are no strings become some, as in Go. NULL on failure. */
static char *key_text(struct conversion *c, struct fy_node *k)
{
	json_t *v = k && fy_node_is_scalar(k) ? convert_scalar(c, k) : NULL;
	char *text = NULL;

	if (json_is_string(v))
		text = xstrdup(json_string_value(v));
	else if (json_is_boolean(v))
		text = xstrdup(json_is_true(v) ? "true" : "false");
	else if (json_is_integer(v))
		text = xasprintf("%lld", (long long)json_integer_value(v));
	else if (json_is_real(v))
		text = xasprintf("%.7g", json_real_value(v));
	else
		refuse(c, k, "a key is no name", "");
	json_decref(v);
	return text;
}

static bool is_merge(struct fy_node *k)
{
	size_t len = 0;
	const char *s = k && fy_node_is_scalar(k) ? fy_node_get_scalar(k, &len) : NULL;

	return s && len == 2 && memcmp(s, "<<", 2) == 0 && fy_node_get_style(k) == FYNS_PLAIN;
}

/* The value of "<<": a mapping, or a list of them, of which the first one wins. */
static int merge(struct conversion *c, struct fy_node *n, json_t *into, int depth)
{
	json_t *v = convert(c, n, depth + 1), *one;
	size_t i;
	int rc = v ? 0 : -1;

	if (json_is_object(v)) {
		json_object_update_missing(into, v);
	} else if (v) {
		rc = json_is_array(v) ? 0 : -1;
		json_array_foreach (v, i, one) {
			if (!json_is_object(one))
				rc = -1;
			json_object_update_missing(into, one);
		}
	}
	if (rc < 0)
		refuse(c, NULL, "\"<<\" wants a mapping", "");
	json_decref(v);
	return rc;
}

static int convert_pair(struct conversion *c, struct fy_node_pair *pair, json_t *o, json_t *merged,
                        int depth)
{
	struct fy_node *k = fy_node_pair_key(pair), *value = fy_node_pair_value(pair);
	auto_free char *key = NULL;
	json_t *v;

	if (is_merge(k))
		return merge(c, value, merged, depth);
	key = key_text(c, k);
	if (!key)
		return -1;
	if (json_object_get(o, key)) {
		refuse(c, k, "the key is there twice: ", key);
		return -1;
	}
	v = convert(c, value, depth + 1);
	return v ? json_object_set_new(o, key, v) : -1;
}

static json_t *convert_mapping(struct conversion *c, struct fy_node *n, int depth)
{
	json_t *o = json_object(), *merged = json_object();
	struct fy_node_pair *pair;
	void *iter = NULL;
	int rc = 0;

	while (rc == 0 && (pair = fy_node_mapping_iterate(n, &iter)))
		rc = convert_pair(c, pair, o, merged, depth);
	json_object_update_missing(o, merged);
	json_decref(merged);
	if (rc == 0)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *convert_sequence(struct conversion *c, struct fy_node *n, int depth)
{
	json_t *a = json_array();
	struct fy_node *item;
	void *iter = NULL;

	while ((item = fy_node_sequence_iterate(n, &iter))) {
		json_t *v = convert(c, item, depth + 1);

		if (!v || json_array_append_new(a, v) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *convert(struct conversion *c, struct fy_node *n, int depth)
{
	struct fy_node *target = n;

	if (depth > DEPTH_MAX || ++c->nodes > NODES_MAX)
		return refuse(c, n, "too large or too deep", "");
	if (!n)
		return json_null();
	if (fy_node_is_alias(n)) {
		target = fy_node_resolve_alias(n);
		if (!target)
			return refuse(c, n, "an anchor is not defined", "");
	}
	if (fy_node_is_mapping(target))
		return convert_mapping(c, target, depth);
	if (fy_node_is_sequence(target))
		return convert_sequence(c, target, depth);
	return target != n ? convert(c, target, depth + 1) : convert_scalar(c, n);
}

/* ---- documents ---- */

/* libfyaml's first message of a parse, instead of on stderr: "<memory...>:2:1: error: text". */
static void keep_first(struct fy_diag *diag, void *user, const char *text, size_t len)
{
	char *to = user;
	auto_free char *line = xstrndup(text, len ? strcspn(text, "\n") : 0);
	const char *place = strstr(line, ">:"), *what = strstr(line, "error: ");

	(void)diag;
	if (*to)
		return;
	if (place && what)
		snprintf(to, MESSAGE_MAX, ": line %d: %s", atoi(place + 2), what + 7);
	else
		snprintf(to, MESSAGE_MAX, ": %s", line);
}

/* 1: a document was added, 0: the end, -1: failure. said: the parser's first message, or "". */
static int next_document(struct fy_parser *p, const char *what, const char *said, json_t *docs,
                         struct err *err)
{
	struct fy_document *d = fy_parse_load_document(p);
	struct conversion c = {0};
	json_t *v;
	bool mapping;

	if (!d)
		return fy_parser_get_stream_error(p)
		           ? err_set_code(err, EXIT_USAGE, "%s: not valid YAML%s", what, said)
		           : 0;
	v = convert(&c, fy_document_root(d), 0);
	fy_parse_document_destroy(p, d);
	if (!v)
		return err_set_code(err, EXIT_USAGE, "%s: %s", what, c.why);
	mapping = json_is_object(v);
	if (mapping)
		json_array_append(docs, v);
	else if (!json_is_null(v))
		err_set_code(err, EXIT_USAGE, "%s: document %zu is not a mapping", what,
		             json_array_size(docs) + 1);
	mapping |= json_is_null(v);
	json_decref(v);
	return mapping ? 1 : -1;
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
