// SPDX-License-Identifier: Apache-2.0
#include "events.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#define BURST     60
#define REFILL_MS 2000

void events_init(struct events *ev, uint64_t now)
{
	*ev = (struct events){.now = now, .refilled = now, .tokens = BURST};
}

static bool allowed(struct events *ev)
{
	uint64_t earned = (ev->now - ev->refilled) / REFILL_MS;

	if (earned) {
		ev->refilled += earned * REFILL_MS;
		ev->tokens = ev->tokens + earned > BURST ? BURST : ev->tokens + (unsigned)earned;
	}
	if (!ev->tokens) {
		ev->left_out++;
		return false;
	}
	ev->tokens--;
	return true;
}

void event(struct events *ev, enum log_level level, const char *fmt, ...)
{
	static void (*const tell[])(const char *, ...) = {log_error, log_warn, log_info, log_debug};
	char text[512];
	va_list ap;

	ev->total++;
	if (level <= log_level() && !allowed(ev))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (ev->left_out)
		tell[level]("%s (%u earlier lines left out)", text, ev->left_out);
	else
		tell[level]("%s", text);
	if (level <= log_level())
		ev->left_out = 0;
}
