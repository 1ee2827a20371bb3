// SPDX-License-Identifier: Apache-2.0
/*
 * Events on a terminal: what has happened scrolls away above, below it stands a table of what runs,
 * one row a machine, drawn anew in place.
 */
#include "activity.h"
#include "event.h"
#include "link.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_MS   200
#define ROWS_LEAST  4
#define NAME_COLUMN 24

struct table {
	struct sink sink;
	long long began, drawn_ms;
	struct activities all;
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

static void put_row(struct table *t, int width, const struct activity *a)
{
	char what[240], line[512];

	activity_describe(a, what, sizeof(what));
	snprintf(line, sizeof(line), "%-*.*s %6.0f s  %-22.22s %s", NAME_COLUMN, NAME_COLUMN,
	         a->machine, (double)(now_ms() - a->began) / 1000, a->name,
	         strcmp(what, a->name) == 0 ? "" : what);
	put_line(t, width, line);
}

static void draw(struct table *t)
{
	struct winsize ws = terminal();
	size_t n = t->all.n, room = (size_t)ws.ws_row - 3, shown = n < room ? n : room;
	char line[512];

	clear(&t->sink);
	t->drawn_ms = now_ms();
	if (!n)
		return;
	snprintf(line, sizeof(line), "%-*s %8s  %-22s %s", NAME_COLUMN, "MACHINE", "TIME", "STEP",
	         "AT");
	put_line(t, ws.ws_col, line);
	for (size_t i = 0; i < shown; i++)
		put_row(t, ws.ws_col, &t->all.v[i]);
	if (shown < n) {
		snprintf(line, sizeof(line), "and %zu more", n - shown);
		put_line(t, ws.ws_col, line);
	}
	fflush(stderr);
}

static void on_event(struct sink *s, const struct event *e)
{
	struct table *t = (struct table *)s;
	char line[ACTIVITY_LINE];

	if (!activities_take(&t->all, e, line))
		return;
	clear(s);
	fprintf(stderr, "%7.1f s  %s\n", (double)(now_ms() - t->began) / 1000, line);
	draw(t);
}

static void tick(struct sink *s)
{
	struct table *t = (struct table *)s;

	if (now_ms() - t->drawn_ms >= REDRAW_MS && (t->all.n || t->drawn))
		draw(t);
}

static void release(struct sink *s)
{
	struct table *t = (struct table *)s;

	activities_release(&t->all);
	free(t);
}

struct sink *sink_table(void)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->sink = (struct sink){.event = on_event, .tick = tick, .clear = clear, .free = release};
	t->began = now_ms();
	return &t->sink;
}
