// SPDX-License-Identifier: Apache-2.0
#include "plancheck.h"

#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "strbuf.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (256u << 20)

enum seen { SEEN_NOTHING, SEEN_STARTED, SEEN_DONE, SEEN_FAILED, SEEN_SKIPPED };

struct check {
	const json_t *steps;
	enum seen *seen; /* one for each step */
	struct strbuf *out;
	size_t differences;
};

__attribute__((format(printf, 3, 4))) static void differs(struct check *c, size_t step,
                                                          const char *fmt, ...)
{
	const json_t *s = json_array_get(c->steps, step - 1);
	char what[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (s)
		strbuf_addf(c->out, "step %zu (%s of %s): %s\n", step, json_text(s, "name"),
		            json_text(s, "scope"), what);
	else
		strbuf_addf(c->out, "step %zu: %s\n", step, what);
	c->differences++;
}

static enum seen seen_of(const struct check *c, const json_t *number)
{
	json_int_t n = json_integer_value(number);

	if (n < 1 || (size_t)n > json_array_size(c->steps))
		return SEEN_NOTHING;
	return c->seen[n - 1];
}

static void check_start(struct check *c, size_t step, const json_t *s)
{
	size_t i;
	json_t *v;

	if (c->seen[step - 1] != SEEN_NOTHING)
		differs(c, step, "began twice");
	json_array_foreach (json_object_get(s, "needs"), i, v)
		if (seen_of(c, v) != SEEN_DONE)
			differs(c, step,
			        "began although step %lld, which it needs, had not succeeded",
			        (long long)json_integer_value(v));
	json_array_foreach (json_object_get(s, "after"), i, v)
		if (seen_of(c, v) < SEEN_DONE)
			differs(c, step,
			        "began although step %lld, which comes before it, had not ended",
			        (long long)json_integer_value(v));
	c->seen[step - 1] = SEEN_STARTED;
}

static void check_end(struct check *c, size_t step, enum seen how)
{
	if (c->seen[step - 1] != SEEN_STARTED)
		differs(c, step, "ended without having begun");
	c->seen[step - 1] = how;
}

static void check_skip(struct check *c, size_t step, const json_t *s, const json_t *event)
{
	bool reason = strstr(json_text(event, "cause"), "stopped") != NULL;
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(s, "needs"), i, v)
		reason |= seen_of(c, v) == SEEN_FAILED || seen_of(c, v) == SEEN_SKIPPED;
	if (!reason)
		differs(c, step, "was skipped although all that it needs had succeeded");
	c->seen[step - 1] = SEEN_SKIPPED;
}

static void check_event(struct check *c, const json_t *e)
{
	size_t step = (size_t)json_integer_value(json_object_get(e, "step"));
	const json_t *s = step ? json_array_get(c->steps, step - 1) : NULL;
	const char *what = json_text(e, "event");

	if (!step) /* connecting and looking, before there is a plan */
		return;
	if (!s) {
		differs(c, step, "\"%s\" on %s was not planned", json_text(e, "name"),
		        json_text(e, "machine"));
		return;
	}
	if (strcmp(json_text(e, "name"), json_text(s, "name")) != 0 ||
	    strcmp(json_text(e, "machine"), json_text(s, "scope")) != 0) {
		differs(c, step, "what ran was \"%s\" on %s", json_text(e, "name"),
		        json_text(e, "machine"));
		return;
	}
	if (strcmp(what, "started") == 0)
		check_start(c, step, s);
	else if (strcmp(what, "done") == 0)
		check_end(c, step, SEEN_DONE);
	else if (strcmp(what, "failed") == 0)
		check_end(c, step, SEEN_FAILED);
	else if (strcmp(what, "skipped") == 0)
		check_skip(c, step, s, e);
}

size_t plancheck(const json_t *plan, const json_t *events, struct strbuf *out)
{
	const json_t *steps = json_object_get(plan, "steps");
	auto_free enum seen *seen = xcalloc(json_array_size(steps) + 1, sizeof(*seen));
	struct check c = {.steps = steps, .seen = seen, .out = out};
	size_t i;
	json_t *e;

	json_array_foreach (events, i, e)
		if (strcmp(json_text(e, "type"), "event") == 0)
			check_event(&c, e);
	for (i = 0; i < json_array_size(steps); i++) {
		if (seen[i] == SEEN_NOTHING)
			differs(&c, i + 1, "did not run");
		else if (seen[i] == SEEN_STARTED)
			differs(&c, i + 1, "began and did not end");
	}
	return c.differences;
}

json_t *plancheck_read(const char *path, struct err *err)
{
	auto_strbuf all = {0};
	json_t *lines = json_array();
	char *next, *line;

	if (fs_read(path, FILE_MAX, &all, err) < 0)
		goto failed;
	next = all.len ? all.buf : NULL;
	for (int n = 1; (line = strsep(&next, "\n")); n++) {
		json_t *v = *line ? json_loads(line, 0, NULL) : NULL;

		if (*line && !json_is_object(v)) {
			json_decref(v);
			err_set(err, "%s: line %d is no JSON object, as --json prints them", path,
			        n);
			goto failed;
		}
		if (v)
			json_array_append_new(lines, v);
	}
	return lines;
failed:
	err->code = EXIT_USAGE;
	json_decref(lines);
	return NULL;
}

json_t *plancheck_find(const json_t *lines, const char *type, const char *path, struct err *err)
{
	size_t i;
	json_t *v;

	json_array_foreach (lines, i, v)
		if (strcmp(json_text(v, "type"), type) == 0)
			return v;
	err_set_code(err, EXIT_USAGE, "%s: there is no line of type \"%s\" in it", path, type);
	return NULL;
}
