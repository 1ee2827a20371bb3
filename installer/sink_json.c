// SPDX-License-Identifier: Apache-2.0
/* Events on stdout, a JSON object a line: docs/json.md describes each member. */
#include "event.h"
#include "link.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PROGRESS_MS 1000 /* between two progress lines of the whole run, at least */

struct json_lines {
	struct sink sink;
	long long progress; /* when one was written last */
};

static const char *const steps[] = {
    [EVENT_STARTED] = "started", [EVENT_PROGRESS] = "progress", [EVENT_DONE] = "done",
    [EVENT_FAILED] = "failed",   [EVENT_SKIPPED] = "skipped",
};

static void set_text(json_t *o, const char *key, const char *text)
{
	json_t *v = text ? json_string(text) : NULL;

	if (v)
		json_object_set_new(o, key, v);
}

static json_t *of_step(const struct event *e)
{
	json_t *o = json_pack("{ss ss si}", "type", "event", "event", steps[e->kind], "step",
	                      e->step);

	set_text(o, "name", e->name);
	set_text(o, "machine", e->machine);
	set_text(o, e->kind == EVENT_PROGRESS ? "at" : "cause", e->text);
	if (e->of) {
		json_object_set_new(o, "now", json_integer((json_int_t)e->now));
		json_object_set_new(o, "of", json_integer((json_int_t)e->of));
	}
	if (e->kind == EVENT_DONE || e->kind == EVENT_FAILED)
		json_object_set_new(o, "seconds",
		                    json_real((double)(now_ms() - e->began_ms) / 1000));
	return o;
}

static json_t *of_data(const char *type, const struct event *e)
{
	json_t *o = json_pack("{ss}", "type", type);

	json_object_update(o, (json_t *)(uintptr_t)e->data);
	return o;
}

static json_t *convert(const struct event *e)
{
	json_t *o;

	switch (e->kind) {
	case EVENT_NOTE:
		o = json_pack("{ss}", "type", "note");
		set_text(o, "text", e->text);
		return o;
	case EVENT_FINDING:
		return of_data("finding", e);
	case EVENT_PLAN:
		return of_data("plan", e);
	case EVENT_RESULT:
		return of_data("result", e);
	case EVENT_STARTED:
	case EVENT_PROGRESS:
	case EVENT_DONE:
	case EVENT_FAILED:
	case EVENT_SKIPPED:
		break;
	}
	return of_step(e);
}

/* RFC 3339 with milliseconds, UTC. */
static void stamp(json_t *o)
{
	struct timespec ts;
	struct tm tm;
	char text[40], all[60];

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(all, sizeof(all), "%s.%03ldZ", text, ts.tv_nsec / 1000000);
	json_object_set_new(o, "time", json_string(all));
}

static void on_event(struct sink *s, const struct event *e)
{
	struct json_lines *l = (struct json_lines *)s;
	json_t *o;

	if (e->kind == EVENT_PROGRESS) {
		if (now_ms() - l->progress < PROGRESS_MS)
			return;
		l->progress = now_ms();
	}
	o = convert(e);
	stamp(o);
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(o);
}

static void release(struct sink *s)
{
	free(s);
}

struct sink *sink_json(void)
{
	struct json_lines *l = xcalloc(1, sizeof(*l));

	l->sink = (struct sink){.event = on_event, .free = release};
	return &l->sink;
}
