// SPDX-License-Identifier: Apache-2.0
#include "emulation.h"

#include "json.h"
#include "preflight_checks.h"

#include <stdio.h>
#include <string.h>

/*
 * Over these minor versions a cluster went forward and back in tests/e2e/67-emulation.bats, with
 * etcd of the new version under the old API servers. Another pair is added when it has passed
 * there.
 */
static const struct {
	int from, to; /* 1.FROM to 1.TO */
} proved[] = {{36, 37}};

static bool parse(const char *s, int *major, int *minor)
{
	return sscanf(s + (*s == 'v'), "%d.%d", major, minor) == 2;
}

void minor_of(const char *version, char minor[static MINOR_MAX])
{
	int x, y;

	*minor = '\0';
	if (parse(version, &x, &y))
		snprintf(minor, MINOR_MAX, "%d.%d", x, y);
}

void emulation_minor(const json_t *apiserver, char minor[static MINOR_MAX])
{
	const char *emulates = json_text(apiserver, "emulates");

	minor_of(*emulates ? emulates : json_text(apiserver, "version"), minor);
}

bool emulation_is_on(const json_t *apiserver)
{
	const char *emulates = json_text(apiserver, "emulates");
	int x, y, major, minor;

	return parse(emulates, &x, &y) && parse(json_text(apiserver, "version"), &major, &minor) &&
	       (x != major || y != minor);
}

static bool is_proved(int from, int to)
{
	for (size_t i = 0; i < sizeof(proved) / sizeof(*proved); i++)
		if (proved[i].from == from && proved[i].to == to)
			return true;
	return false;
}

/* The latest one counts: a cluster in which one API server is committed is committed. */
void emulation_wanted(const struct candidate *c, size_t n, const char *to,
                      char minor[static MINOR_MAX])
{
	int latest = -1, x, y, major, target;

	*minor = '\0';
	if (!parse(to, &major, &target))
		return;
	for (size_t i = 0; i < n; i++) {
		char now[MINOR_MAX];

		emulation_minor(json_object_get(c[i].cluster, "apiserver"), now);
		if (c[i].master && parse(now, &x, &y) && x == major && y > latest)
			latest = y;
	}
	if (is_proved(latest, target))
		snprintf(minor, MINOR_MAX, "%d.%d", major, latest);
}
