// SPDX-License-Identifier: Apache-2.0
#include "activity.h"

#include "event.h"
#include "link.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_MS 500 /* a step that ends sooner gets no line */
#define MB       1000000.0

static struct activity *find(struct activities *a, const char *machine)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i].machine, machine) == 0)
			return &a->v[i];
	return NULL;
}

static void started(struct activities *a, const struct event *e)
{
	struct activity *v = find(a, e->machine);

	if (!v) {
		a->v = xreallocarray(a->v, a->n + 1, sizeof(*a->v));
		v = &a->v[a->n++];
	}
	*v = (struct activity){.began = e->began_ms, .since = e->began_ms};
	snprintf(v->machine, sizeof(v->machine), "%s", e->machine);
	snprintf(v->name, sizeof(v->name), "%s", e->name);
}

static void progress(struct activities *a, const struct event *e)
{
	struct activity *v = find(a, e->machine);

	if (!v)
		return;
	v->now = e->now;
	v->of = e->of;
	if (strcmp(v->text, e->text) == 0)
		return;
	snprintf(v->text, sizeof(v->text), "%s", e->text);
	v->since = now_ms();
	a->changed = v;
}

static bool ended(struct activities *a, const struct event *e, char *line)
{
	struct activity *v = find(a, e->machine);
	long long took = now_ms() - e->began_ms;

	if (v) { /* the order of the remaining ones is kept */
		memmove(v, v + 1, (size_t)(a->v + a->n - (v + 1)) * sizeof(*v));
		a->n--;
	}
	snprintf(line, ACTIVITY_LINE, "%s: %s %s (%.1f s)", e->machine, e->name,
	         e->kind == EVENT_DONE ? "done" : "failed", (double)took / 1000);
	return e->kind == EVENT_FAILED || took >= SHORT_MS;
}

bool activities_take(struct activities *a, const struct event *e, char line[static ACTIVITY_LINE])
{
	a->changed = NULL;
	switch (e->kind) {
	case EVENT_NOTE:
		snprintf(line, ACTIVITY_LINE, "%s", e->text);
		return true;
	case EVENT_STARTED:
		started(a, e);
		return false;
	case EVENT_PROGRESS:
		progress(a, e);
		return false;
	case EVENT_DONE:
	case EVENT_FAILED:
		return ended(a, e, line);
	case EVENT_SKIPPED:
	case EVENT_FINDING:
	case EVENT_PLAN:
	case EVENT_RESULT:
		break;
	}
	return false;
}

void activities_release(struct activities *a)
{
	free(a->v);
	*a = (struct activities){0};
}

void activity_describe(const struct activity *a, char *buf, size_t len)
{
	const char *text = *a->text ? a->text : a->name;
	double s = (double)(now_ms() - a->since) / 1000;

	if (!a->of)
		snprintf(buf, len, "%s", text);
	else if (s >= 1 && a->now)
		snprintf(buf, len, "%s %.0f/%.0f MB, %.0f MB/s", text, (double)a->now / MB,
		         (double)a->of / MB, (double)a->now / MB / s);
	else
		snprintf(buf, len, "%s %.0f/%.0f MB", text, (double)a->now / MB,
		         (double)a->of / MB);
}
