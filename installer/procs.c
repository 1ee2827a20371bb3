// SPDX-License-Identifier: Apache-2.0
#include "procs.h"

#include "err.h"
#include "fs.h"
#include "link.h"
#include "mem.h"
#include "node.h"
#include "strbuf.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CGROUPS  "/sys/fs/cgroup"
#define WAIT_MS  10000
#define EVERY_MS 50

/* Any process left in it or below? cgroup.events of cgroup v2: "populated 1". */
static bool populated(const char *group)
{
	auto_free char *path = xasprintf("%s/cgroup.events", group);
	auto_strbuf text = {0};
	struct err ignored = {0};

	return fs_read(path, 4096, &text, &ignored) == 0 &&
	       strstr(strbuf_str(&text), "populated 1");
}

static void kill_in(const char *group)
{
	auto_free char *path = xasprintf("%s/cgroup.procs", group);
	auto_strbuf text = {0};
	auto_strlist names = {0};
	struct err ignored = {0};
	char *next, *line;

	if (fs_read(path, 1 << 20, &text, &ignored) == 0 && text.len) {
		next = text.buf;
		while ((line = strsep(&next, "\n")))
			if (atoi(line) > 1)
				kill(atoi(line), SIGKILL);
	}
	if (fs_list(group, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		if (!strchr(names.v[i], '.') || strstr(names.v[i], ".slice") ||
		    strstr(names.v[i], ".scope")) {
			auto_free char *child = xasprintf("%s/%s", group, names.v[i]);

			kill_in(child);
		}
}

void procs_kill_pods(void)
{
	static const char *const groups[] = {CGROUPS "/kubepods.slice", CGROUPS "/kubepods"};
	long long end = now_ms() + WAIT_MS;

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		while (fs_exists(groups[i]) && populated(groups[i]) && now_ms() < end) {
			kill_in(groups[i]); /* once more: a process may have forked */
			poll(NULL, 0, EVERY_MS);
		}
}

static bool begins(const char *path, const char *dir)
{
	return strncmp(path, dir, strlen(dir)) == 0;
}

/* opt: where DIR_OPT really lies; the user may have made a link of /opt. */
static bool runs_ours(const char *pid, const char *opt)
{
	auto_free char *path = xasprintf("/proc/%s/exe", pid);
	auto_free char *ours = xasprintf("%s/", opt);
	auto_free char *self = xasprintf("%s%s", opt, &FILE_SELF[strlen(DIR_OPT)]);
	char target[4096];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return begins(target, ours) && !begins(target, self); /* nor the caller's program */
}

static size_t signal_ours(int sig)
{
	auto_free char *opt = realpath(DIR_OPT, NULL);
	auto_strlist names = {0};
	struct err ignored = {0};
	size_t n = 0;

	if (!opt || fs_list("/proc", &names, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < names.n; i++)
		if (isdigit((unsigned char)*names.v[i]) && runs_ours(names.v[i], opt)) {
			kill(atoi(names.v[i]), sig);
			n++;
		}
	return n;
}

void procs_kill_ours(void)
{
	long long end = now_ms() + WAIT_MS;

	while (signal_ours(SIGKILL) && now_ms() < end)
		poll(NULL, 0, EVERY_MS);
}
