// SPDX-License-Identifier: Apache-2.0
/*
 * Events on a terminal: what has happened scrolls away above, below it stands a table of what runs,
 * one row a machine, drawn anew in place.
 */
#include "event.h"
#include "link.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_MS   200
#define SHORT_MS    500
#define ROWS_LEAST  4
#define NAME_COLUMN 24

struct row {
	char machine[64], name[64], text[160];
	uint64_t now, of;
	long long began, since;
};

struct table {
	struct sink sink;
	long long began, drawn_ms;
	struct row *v;
	size_t n;
	size_t drawn; /* lines that stand on the terminal below what scrolls */
};

static struct winsize terminal(void)
{
	struct winsize ws = {0};

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) < 0 || ws.ws_col < 20)
		ws.ws_col = 80;
	if (ws.ws_row < ROWS_LEAST)
		ws.ws_row = 24;
	return ws;
}

static struct row *find(struct table *t, const char *machine)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->v[i].machine, machine) == 0)
			return &t->v[i];
	return NULL;
}

/* Back to the line above the table, and everything below gone. */
static void clear(struct sink *s)
{
	struct table *t = (struct table *)s;

	if (t->drawn)
		fprintf(stderr, "\r\033[%zuA\033[J", t->drawn);
	t->drawn = 0;
	fflush(stderr);
}

static void put_line(struct table *t, int width, const char *text)
{
	fprintf(stderr, "%.*s\033[K\n", width - 1, text);
	t->drawn++;
}

static void put_row(struct table *t, int width, const struct row *r)
{
	char what[240], line[512];
	long long now = now_ms();

	event_describe(*r->text ? r->text : r->name, r->now, r->of, (double)(now - r->since) / 1000,
	               what, sizeof(what));
	snprintf(line, sizeof(line), "%-*.*s %6.0f s  %-22.22s %s", NAME_COLUMN, NAME_COLUMN,
	         r->machine, (double)(now - r->began) / 1000, r->name,
	         strcmp(what, r->name) == 0 ? "" : what);
	put_line(t, width, line);
}

static void draw(struct table *t)
{
	struct winsize ws = terminal();
	size_t room = (size_t)ws.ws_row - 3, shown = t->n < room ? t->n : room;
	char line[512];

	clear(&t->sink);
	t->drawn_ms = now_ms();
	if (!t->n)
		return;
	snprintf(line, sizeof(line), "%-*s %8s  %-22s %s", NAME_COLUMN, "MACHINE", "TIME", "STEP",
	         "AT");
	put_line(t, ws.ws_col, line);
	for (size_t i = 0; i < shown; i++)
		put_row(t, ws.ws_col, &t->v[i]);
	if (shown < t->n) {
		snprintf(line, sizeof(line), "and %zu more", t->n - shown);
		put_line(t, ws.ws_col, line);
	}
	fflush(stderr);
}

static void say(struct table *t, const char *text)
{
	clear(&t->sink);
	fprintf(stderr, "%7.1f s  %s\n", (double)(now_ms() - t->began) / 1000, text);
	draw(t);
}

static void started(struct table *t, const struct event *e)
{
	struct row *r = find(t, e->machine);

	if (!r) {
		t->v = xreallocarray(t->v, t->n + 1, sizeof(*t->v));
		r = &t->v[t->n++];
	}
	*r = (struct row){.began = e->began_ms, .since = e->began_ms};
	snprintf(r->machine, sizeof(r->machine), "%s", e->machine);
	snprintf(r->name, sizeof(r->name), "%s", e->name);
}

static void progress(struct table *t, const struct event *e)
{
	struct row *r = find(t, e->machine);

	if (!r)
		return;
	if (strcmp(r->text, e->text) != 0)
		r->since = now_ms();
	snprintf(r->text, sizeof(r->text), "%s", e->text);
	r->now = e->now;
	r->of = e->of;
}

static void ended(struct table *t, const struct event *e, const char *how)
{
	struct row *r = find(t, e->machine);
	long long took = now_ms() - e->began_ms;
	char line[400];

	if (r) { /* the others keep their order */
		memmove(r, r + 1, (size_t)(t->v + t->n - (r + 1)) * sizeof(*r));
		t->n--;
	}
	if (e->kind == EVENT_DONE && took < SHORT_MS)
		return;
	snprintf(line, sizeof(line), "%s: %s %s (%.1f s)", e->machine, e->name, how,
	         (double)took / 1000);
	say(t, line);
}

static void on_event(struct sink *s, const struct event *e)
{
	struct table *t = (struct table *)s;

	switch (e->kind) {
	case EVENT_NOTE:
		say(t, e->text);
		break;
	case EVENT_STARTED:
		started(t, e);
		break;
	case EVENT_PROGRESS:
		progress(t, e);
		break;
	case EVENT_DONE:
		ended(t, e, "done");
		break;
	case EVENT_FAILED:
		ended(t, e, "failed");
		break;
	case EVENT_SKIPPED:
	case EVENT_FINDING:
	case EVENT_PLAN:
	case EVENT_RESULT:
		break;
	}
}

static void tick(struct sink *s)
{
	struct table *t = (struct table *)s;

	if (now_ms() - t->drawn_ms >= REDRAW_MS && (t->n || t->drawn))
		draw(t);
}

static void release(struct sink *s)
{
	struct table *t = (struct table *)s;

	free(t->v);
	free(t);
}

struct sink *sink_table(void)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->sink = (struct sink){.event = on_event, .tick = tick, .clear = clear, .free = release};
	t->began = now_ms();
	return &t->sink;
}
