// SPDX-License-Identifier: Apache-2.0
#include "event.h"

#include "mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MB 1000000.0

void events_init(struct events *ev, bool json)
{
	*ev = (struct events){.n = 1};
	ev->sinks[0] = isatty(STDERR_FILENO) ? sink_table() : sink_lines();
	if (json)
		ev->sinks[ev->n++] = sink_json();
}

void events_release(struct events *ev)
{
	events_clear(ev);
	for (size_t i = 0; i < ev->n; i++)
		ev->sinks[i]->free(ev->sinks[i]);
	*ev = (struct events){0};
}

void events_emit(struct events *ev, const struct event *e)
{
	for (size_t i = 0; i < ev->n; i++)
		ev->sinks[i]->event(ev->sinks[i], e);
}

void events_note(struct events *ev, const char *fmt, ...)
{
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	events_emit(ev, &(struct event){.kind = EVENT_NOTE, .text = text});
}

void events_tick(struct events *ev)
{
	for (size_t i = 0; i < ev->n; i++)
		if (ev->sinks[i]->tick)
			ev->sinks[i]->tick(ev->sinks[i]);
}

void events_clear(struct events *ev)
{
	for (size_t i = 0; i < ev->n; i++)
		if (ev->sinks[i]->clear)
			ev->sinks[i]->clear(ev->sinks[i]);
}

void event_describe(const char *text, uint64_t now, uint64_t of, double seconds, char *buf,
                    size_t len)
{
	if (!of)
		snprintf(buf, len, "%s", text);
	else if (seconds >= 1 && now)
		snprintf(buf, len, "%s %.0f/%.0f MB, %.0f MB/s", text, (double)now / MB,
		         (double)of / MB, (double)now / MB / seconds);
	else
		snprintf(buf, len, "%s %.0f/%.0f MB", text, (double)now / MB, (double)of / MB);
}
