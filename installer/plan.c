// SPDX-License-Identifier: Apache-2.0
#include "plan.h"

#include "err.h"
#include "mem.h"
#include "strbuf.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Members of arguments whose text is secret. */
static const char *const secret_keys[] = {"token", "tlsBootstrapToken", "certificateKey",
                                          "password"};

int plan_init(struct plan *p, struct err *err)
{
	unsigned char random[4];
	time_t now = time(NULL);
	char day[12];
	struct tm tm;

	*p = (struct plan){0};
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_set(err, "no random numbers: %s", strerror(errno));
	gmtime_r(&now, &tm);
	strftime(day, sizeof(day), "%Y%m%d", &tm);
	snprintf(p->run, sizeof(p->run), "%.8s-%02x%02x%02x%02x", day, random[0], random[1],
	         random[2], random[3]);
	return 0;
}

void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].scope);
		free(p->v[i].needs);
		free(p->v[i].after);
		json_decref(p->v[i].args);
	}
	free(p->v);
	*p = (struct plan){0};
}

int plan_add(struct plan *p, const char *op, const char *name, size_t machine, const char *scope,
             json_t *args, const char *undo)
{
	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n++] = (struct step){.op = op,
	                             .name = name,
	                             .scope = xstrdup(scope),
	                             .machine = machine,
	                             .args = args ? args : json_object(),
	                             .undo = undo};
	return (int)p->n;
}

struct step *plan_step(const struct plan *p, int number)
{
	return number >= 1 && (size_t)number <= p->n ? &p->v[number - 1] : NULL;
}

static void add_number(int **list, size_t *n, int number)
{
	if (!number)
		return;
	*list = xreallocarray(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = number;
}

void plan_needs(struct plan *p, int step, int need)
{
	struct step *s = plan_step(p, step);

	add_number(&s->needs, &s->n_needs, need);
}

void plan_after(struct plan *p, int step, int earlier)
{
	struct step *s = plan_step(p, step);

	add_number(&s->after, &s->n_after, earlier);
}

/* ---- shown ---- */

static bool is_secret(const char *key, const json_t *v)
{
	const char *s = json_string_value(v);

	if (!s || strncmp(s, "$(", 2) == 0) /* a reference is none */
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(secret_keys); i++)
		if (strcmp(key, secret_keys[i]) == 0)
			return true;
	return false;
}

static json_t *without_secrets(const json_t *v)
{
	const char *key;
	json_t *child, *copy;
	size_t i;

	if (json_is_array(v)) {
		copy = json_array();
		json_array_foreach (v, i, child)
			json_array_append_new(copy, without_secrets(child));
		return copy;
	}
	if (!json_is_object(v))
		return json_incref((json_t *)(uintptr_t)v);
	copy = json_object();
	json_object_foreach ((json_t *)(uintptr_t)v, key, child)
		json_object_set_new(copy, key,
		                    is_secret(key, child) ? json_string("(secret)")
		                                          : without_secrets(child));
	return copy;
}

static json_t *numbers(const int *list, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_integer(list[i]));
	return a;
}

json_t *plan_json(const struct plan *p)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < p->n; i++) {
		const struct step *s = &p->v[i];

		json_array_append_new(steps,
		                      json_pack("{si ss ss ss so so so ss?}", "step", (int)i + 1,
		                                "op", s->op, "name", s->name, "scope", s->scope,
		                                "needs", numbers(s->needs, s->n_needs), "after",
		                                numbers(s->after, s->n_after), "args",
		                                without_secrets(s->args), "undo", s->undo));
	}
	return json_pack("{ss so}", "run", p->run, "steps", steps);
}

static void list_numbers(struct strbuf *out, const int *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t last = i;

		while (last + 1 < n && list[last + 1] == list[last] + 1)
			last++;
		strbuf_addf(out, "%s%d", out->len ? "," : "", list[i]);
		if (last > i)
			strbuf_addf(out, "%s%d", last > i + 1 ? "-" : ",", list[last]);
		i = last;
	}
}

void plan_print(const struct plan *p, FILE *out)
{
	int width = 7;

	for (size_t i = 0; i < p->n; i++)
		if ((int)strlen(p->v[i].scope) > width)
			width = (int)strlen(p->v[i].scope);
	fprintf(out, "%4s  %-*s  %-24s %-12s %s\n", "STEP", width, "MACHINE", "WHAT", "AFTER",
	        "UNDONE BY");
	for (size_t i = 0; i < p->n; i++) {
		const struct step *s = &p->v[i];
		auto_strbuf before = {0};

		list_numbers(&before, s->needs, s->n_needs);
		list_numbers(&before, s->after, s->n_after);
		fprintf(out, "%4zu  %-*s  %-24s %-12s %s\n", i + 1, width, s->scope, s->name,
		        before.len ? before.buf : "-", s->undo ? s->undo : "-");
	}
}

/* ---- values ---- */

static json_t *lookup(const char *s, const json_t *values, struct err *err)
{
	auto_free char *name = xstrndup(s + 2, strlen(s) - 3);
	json_t *v = json_object_get(values, name);

	if (v)
		return json_incref(v);
	err_set(err, "no step has given a value \"%s\"", name);
	return NULL;
}

json_t *plan_resolve(const json_t *args, const json_t *values, struct err *err)
{
	const char *s = json_string_value(args), *key;
	json_t *copy, *child, *v;
	size_t i;

	if (s && strncmp(s, "$(", 2) == 0 && s[strlen(s) - 1] == ')')
		return lookup(s, values, err);
	if (!json_is_array(args) && !json_is_object(args))
		return json_incref((json_t *)(uintptr_t)args);
	copy = json_is_array(args) ? json_array() : json_object();
	json_array_foreach (args, i, child) {
		v = plan_resolve(child, values, err);
		if (!v || json_array_append_new(copy, v) < 0)
			goto failed;
	}
	json_object_foreach ((json_t *)(uintptr_t)args, key, child) {
		v = plan_resolve(child, values, err);
		if (!v || json_object_set_new(copy, key, v) < 0)
			goto failed;
	}
	return copy;
failed:
	json_decref(copy);
	return NULL;
}
