// SPDX-License-Identifier: Apache-2.0
/*
 * Events as lines on stderr, for logs and pipes: a line when a step begins to do something else and
 * when it ends, and every SILENCE_MS one that says what still runs.
 */
#include "event.h"
#include "link.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SILENCE_MS 5000 /* without a line, at most */
#define SHORT_MS   500  /* a step that ends within that is worth no line */

/* What a machine does. */
struct doing {
	char machine[64], name[64], text[160];
	uint64_t now, of;
	long long began, since; /* of the step, and of what it is at */
};

struct lines {
	struct sink sink;
	long long began, said;
	struct doing *v;
	size_t n;
};

static struct doing *find(struct lines *l, const char *machine)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].machine, machine) == 0)
			return &l->v[i];
	return NULL;
}

static void say(struct lines *l, const char *text)
{
	l->said = now_ms();
	fprintf(stderr, "%7.1f s  %s\n", (double)(l->said - l->began) / 1000, text);
	fflush(stderr);
}

static void say_doing(struct lines *l, const struct doing *d, bool with_time)
{
	char what[240], line[400];
	double s = (double)(now_ms() - d->since) / 1000;

	event_describe(*d->text ? d->text : d->name, d->now, d->of, s, what, sizeof(what));
	if (with_time)
		snprintf(line, sizeof(line), "%s: %s (%.0f s)", d->machine, what,
		         (double)(now_ms() - d->began) / 1000);
	else
		snprintf(line, sizeof(line), "%s: %s", d->machine, what);
	say(l, line);
}

static void started(struct lines *l, const struct event *e)
{
	struct doing *d = find(l, e->machine);

	if (!d) {
		l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
		d = &l->v[l->n++];
	}
	*d = (struct doing){.began = e->began_ms, .since = e->began_ms};
	snprintf(d->machine, sizeof(d->machine), "%s", e->machine);
	snprintf(d->name, sizeof(d->name), "%s", e->name);
}

static void progress(struct lines *l, const struct event *e)
{
	struct doing *d = find(l, e->machine);
	bool other;

	if (!d)
		return;
	other = strcmp(d->text, e->text) != 0;
	d->now = e->now;
	d->of = e->of;
	if (!other)
		return;
	snprintf(d->text, sizeof(d->text), "%s", e->text);
	d->since = now_ms();
	say_doing(l, d, false);
}

static void ended(struct lines *l, const struct event *e, const char *how)
{
	struct doing *d = find(l, e->machine);
	long long took = now_ms() - e->began_ms;
	char line[400];

	if (d)
		*d = l->v[--l->n];
	if (e->kind == EVENT_DONE && took < SHORT_MS)
		return;
	snprintf(line, sizeof(line), "%s: %s %s (%.1f s)", e->machine, e->name, how,
	         (double)took / 1000);
	say(l, line);
}

static void on_event(struct sink *s, const struct event *e)
{
	struct lines *l = (struct lines *)s;

	switch (e->kind) {
	case EVENT_NOTE:
		say(l, e->text);
		break;
	case EVENT_STARTED:
		started(l, e);
		break;
	case EVENT_PROGRESS:
		progress(l, e);
		break;
	case EVENT_DONE:
		ended(l, e, "done");
		break;
	case EVENT_FAILED:
		ended(l, e, "failed");
		break;
	case EVENT_SKIPPED:
	case EVENT_FINDING:
	case EVENT_PLAN:
	case EVENT_RESULT:
		break;
	}
}

/* The machine that has been at work for longest speaks for all. */
static void tick(struct sink *s)
{
	struct lines *l = (struct lines *)s;
	const struct doing *oldest = NULL;

	if (now_ms() - l->said < SILENCE_MS)
		return;
	for (size_t i = 0; i < l->n; i++)
		if (!oldest || l->v[i].began < oldest->began)
			oldest = &l->v[i];
	if (oldest)
		say_doing(l, oldest, true);
}

static void release(struct sink *s)
{
	struct lines *l = (struct lines *)s;

	free(l->v);
	free(l);
}

struct sink *sink_lines(void)
{
	struct lines *l = xcalloc(1, sizeof(*l));

	l->sink = (struct sink){.event = on_event, .tick = tick, .free = release};
	l->began = l->said = now_ms();
	return &l->sink;
}
