// SPDX-License-Identifier: Apache-2.0
#include "event.h"

#include "mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
