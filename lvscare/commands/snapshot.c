// SPDX-License-Identifier: Apache-2.0
#include "snapshot.h"

#include "err.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS   5
#define LINE_CAP 1024

/* A field as text: printable ASCII, cut to what fits. */
static void take_text(char *out, size_t cap, const char *s)
{
	size_t n = 0;

	for (; *s && n + 1 < cap; s++)
		out[n++] = *s >= ' ' && *s < 0x7f ? *s : '?';
	out[n] = '\0';
}

static bool take_number(const char *s, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(s, &end, 10);
	return isdigit((unsigned char)*s) && !*end && !errno;
}

static bool take_addr(const char *s, struct addr *out)
{
	struct err err;

	return addr_parse(s, 0, "", out, &err) == 0 && out->port;
}

static void take_server(char *const *f, struct snapshot *out)
{
	struct snapshot_server s = {0};

	if (out->n == DESTS_MAX || !take_addr(f[1], &s.addr) || !take_number(f[3], &s.since))
		return;
	take_text(s.state, sizeof(s.state), f[2]);
	take_text(s.text, sizeof(s.text), f[4]);
	out->server[out->n++] = s;
}

static void take_line(char *line, struct snapshot *out)
{
	static char none[1];
	char *f[FIELDS] = {none, none, none, none, none};
	unsigned long v;

	for (int i = 0; i < FIELDS && line; i++)
		f[i] = strsep(&line, "\t");
	if (strcmp(f[0], "version") == 0)
		take_text(out->version, sizeof(out->version), f[1]);
	else if (strcmp(f[0], "virtual-server") == 0)
		take_addr(f[1], &out->vs);
	else if (strcmp(f[0], "trouble") == 0)
		take_text(out->trouble, sizeof(out->trouble), f[1]);
	else if (strcmp(f[0], "failed-open") == 0)
		out->failed_open = strcmp(f[1], "1") == 0;
	else if (strcmp(f[0], "manages-expire-nodest-conn") == 0)
		out->manages_expire = strcmp(f[1], "1") == 0;
	else if (strcmp(f[0], "uptime") == 0 && take_number(f[1], &v))
		out->uptime = v;
	else if (strcmp(f[0], "reconciled") == 0 && take_number(f[1], &v))
		out->reconciled = v < LONG_MAX ? (long)v : LONG_MAX;
	else if (strcmp(f[0], "server") == 0)
		take_server(f, out);
}

bool snapshot_parse(const char *text, struct snapshot *out)
{
	*out = (struct snapshot){.reconciled = -1};
	while (*text) {
		size_t len = strcspn(text, "\n");
		char line[LINE_CAP];

		if (len < sizeof(line)) {
			memcpy(line, text, len);
			line[len] = '\0';
			take_line(line, out);
		}
		text += len + (text[len] == '\n');
	}
	return *out->version && out->vs.port;
}

const struct snapshot_server *snapshot_find(const struct snapshot *s, const struct addr *a)
{
	for (size_t i = 0; i < s->n; i++)
		if (addr_eq(&s->server[i].addr, a))
			return &s->server[i];
	return NULL;
}
