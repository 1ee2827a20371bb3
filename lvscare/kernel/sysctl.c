// SPDX-License-Identifier: Apache-2.0
#include "sysctl.h"

#include "events.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const switches[SYSCTL_SWITCHES] = {"expire_nodest_conn", "conntrack"};

static bool is_on(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = 0;

	return fd >= 0 && read(fd, &c, 1) == 1 && c == '1';
}

static int turn_on(const char *path)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, "1\n", 2) == 2 ? 0 : -1;
}

void sysctl_apply(struct sysctl *s, struct events *ev)
{
	bool all = true;

	for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s/%s", s->dir, switches[i]);
		if (is_on(path))
			continue;
		if (turn_on(path) == 0) {
			ev->changed[CHANGE_SYSCTL]++;
			event(ev, LOG_LVL_INFO, "net.ipv4.vs.%s set to 1", switches[i]);
			continue;
		}
		all = false;
		if (!s->told)
			event(ev, LOG_LVL_WARN,
			      "net.ipv4.vs.%s stays 0: %s: %s; going on, set it on the host",
			      switches[i], path, strerror(errno));
	}
	s->told = !all;
}

const char *sysctl_name(unsigned i)
{
	return switches[i];
}

bool sysctl_on(const char *dir, unsigned i)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, switches[i]);
	return is_on(path);
}
