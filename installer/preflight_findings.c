// SPDX-License-Identifier: Apache-2.0
#include "mem.h"
#include "preflight_checks.h"
#include "proto.h"
#include "strbuf.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 800

void finding_add(struct findings *f, const struct candidate *c, const char *check, enum level level,
                 const char *fix, const char *fmt, ...)
{
	char text[TEXT_MAX];
	char *way = xstrdup(fix);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_neutralise(text, false); /* facts come from the node, which is not trusted */
	text_neutralise(way, false);
	f->v = xreallocarray(f->v, f->n + 1, sizeof(*f->v));
	f->v[f->n++] = (struct finding){.node = xstrdup(c->name),
	                                .check = check,
	                                .error = level == LEVEL_ERROR,
	                                .info = level == LEVEL_INFO,
	                                .text = xstrdup(text),
	                                .fix = way};
}

size_t findings_errors(const struct findings *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->v[i].error;
	return n;
}

size_t findings_worth(const struct findings *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += !f->v[i].info;
	return n;
}

static const char *level_name(const struct finding *f)
{
	return f->error ? "error" : f->info ? "info" : "warning";
}

void findings_print(const struct findings *f, FILE *out)
{
	int node = 7, check = 5;

	for (size_t i = 0; i < f->n; i++) {
		int a = (int)strlen(f->v[i].node), b = (int)strlen(f->v[i].check);

		node = a > node ? a : node;
		check = b > check ? b : check;
	}
	fprintf(out, "%-*s  %-7s  %-*s  %s\n", node, "MACHINE", "LEVEL", check, "CHECK",
	        "CAUSE AND FIX");
	for (size_t i = 0; i < f->n; i++) {
		fprintf(out, "%-*s  %-7s  %-*s  %s\n", node, f->v[i].node, level_name(&f->v[i]),
		        check, f->v[i].check, f->v[i].text);
		if (*f->v[i].fix)
			fprintf(out, "%-*s  fix: %s\n", node + 2 + 7 + 2 + check, "", f->v[i].fix);
	}
}

json_t *findings_json(const struct findings *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->n; i++)
		json_array_append_new(list, json_pack("{ss ss ss ss ss}", "machine", f->v[i].node,
		                                      "level", level_name(&f->v[i]), "check",
		                                      f->v[i].check, "cause", f->v[i].text, "fix",
		                                      f->v[i].fix));
	return list;
}

void findings_release(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].node);
		free(f->v[i].text);
		free(f->v[i].fix);
	}
	free(f->v);
	*f = (struct findings){0};
}

char *shell_word(const char *s)
{
	static const char plain[] = "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-:@=,+";
	auto_strbuf out = {0};

	if (*s && strspn(s, plain) == strlen(s))
		return xstrdup(s);
	strbuf_addch(&out, '\'');
	for (; *s; s++)
		if (*s == '\'')
			strbuf_addstr(&out, "'\\''");
		else
			strbuf_addch(&out, *s);
	strbuf_addch(&out, '\'');
	return strbuf_detach(&out);
}

/* ---- facts ---- */

long long fact_number(const json_t *facts, const char *key, long long missing)
{
	const json_t *v = json_object_get(facts, key);

	return json_is_integer(v) ? (long long)json_integer_value(v) : missing;
}

bool fact_has_number(const json_t *facts, const char *key, int number)
{
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(facts, key), i, v)
		if (json_is_integer(v) && json_integer_value(v) == number)
			return true;
	return false;
}

char *fact_join(const json_t *facts, const char *key, size_t max)
{
	auto_strbuf out = {0};
	size_t i, n = 0;
	json_t *v;

	json_array_foreach (json_object_get(facts, key), i, v) {
		if (!json_is_string(v))
			continue;
		if (n++ == max) {
			strbuf_addstr(&out, " ...");
			break;
		}
		strbuf_addf(&out, "%s%s", out.len ? ", " : "", json_string_value(v));
	}
	return out.len ? strbuf_detach(&out) : xstrdup("");
}
