// SPDX-License-Identifier: Apache-2.0
/*
 * Events as lines on stderr, for logs and pipes: a line when a machine is at something else, when a
 * step ends, and every SILENCE_MS one that says what still runs.
 */
#include "activity.h"
#include "event.h"
#include "link.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>

#define SILENCE_MS 5000 /* without a line, at most */

struct lines {
	struct sink sink;
	long long began, said;
	struct activities all;
};

static void say(struct lines *l, const char *text)
{
	l->said = now_ms();
	fprintf(stderr, "%7.1f s  %s\n", (double)(l->said - l->began) / 1000, text);
	fflush(stderr);
}

static void say_activity(struct lines *l, const struct activity *a, bool with_time)
{
	char what[240], line[400];

	activity_describe(a, what, sizeof(what));
	if (with_time)
		snprintf(line, sizeof(line), "%s: %s (%.0f s)", a->machine, what,
		         (double)(now_ms() - a->began) / 1000);
	else
		snprintf(line, sizeof(line), "%s: %s", a->machine, what);
	say(l, line);
}

static void on_event(struct sink *s, const struct event *e)
{
	struct lines *l = (struct lines *)s;
	char line[ACTIVITY_LINE];

	if (activities_take(&l->all, e, line))
		say(l, line);
	if (l->all.changed)
		say_activity(l, l->all.changed, false);
}

/* Prints the step that has run longest. */
static void tick(struct sink *s)
{
	struct lines *l = (struct lines *)s;
	const struct activity *oldest = NULL;

	if (now_ms() - l->said < SILENCE_MS)
		return;
	for (size_t i = 0; i < l->all.n; i++)
		if (!oldest || l->all.v[i].began < oldest->began)
			oldest = &l->all.v[i];
	if (oldest)
		say_activity(l, oldest, true);
}

static void release(struct sink *s)
{
	struct lines *l = (struct lines *)s;

	activities_release(&l->all);
	free(l);
}

struct sink *sink_lines(void)
{
	struct lines *l = xcalloc(1, sizeof(*l));

	l->sink = (struct sink){.event = on_event, .tick = tick, .free = release};
	l->began = l->said = now_ms();
	return &l->sink;
}
