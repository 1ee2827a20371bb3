// SPDX-License-Identifier: Apache-2.0
#include "sysctl.h"

#include "events.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { EXPIRE, CONNTRACK };

static const char *const switches[SYSCTL_SWITCHES] = {
    [EXPIRE] = "expire_nodest_conn", [CONNTRACK] = "conntrack"};

static const char *path_of(char *buf, size_t cap, const char *dir, unsigned i)
{
	snprintf(buf, cap, "%s/%s", dir, switches[i]);
	return buf;
}

bool sysctl_on(const char *dir, unsigned i)
{
	char path[256], c = 0;
	auto_close int fd = open(path_of(path, sizeof(path), dir, i), O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &c, 1) == 1 && c == '1';
}

static int set(const char *dir, unsigned i, bool on)
{
	char path[256];
	auto_close int fd = open(path_of(path, sizeof(path), dir, i), O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, on ? "1\n" : "0\n", 2) == 2 ? 0 : -1;
}

const char *sysctl_name(unsigned i)
{
	return switches[i];
}

const char *sysctl_dir(void)
{
	struct sysctl here = {.dir = SYSCTL_DIR}, mounted = {.dir = SYSCTL_POD_DIR};

	return !sysctl_writable(&here) && sysctl_writable(&mounted) ? SYSCTL_POD_DIR : SYSCTL_DIR;
}

unsigned sysctl_hold_ms(const char *release)
{
	unsigned major = 0, minor = 0;

	sscanf(release, "%u.%u", &major, &minor);
	return major > 5 || (major == 5 && minor >= 9) ? SYSCTL_HOLD_MS : SYSCTL_LONG_HOLD_MS;
}

bool sysctl_writable(const struct sysctl *s)
{
	char path[256];

	return access(path_of(path, sizeof(path), s->dir, EXPIRE), W_OK) == 0;
}

/* True unless it is off and stays so. */
static bool turn_on(struct sysctl *s, unsigned i, struct events *ev)
{
	char path[256];

	if (sysctl_on(s->dir, i))
		return true;
	if (set(s->dir, i, true) == 0) {
		ev->changed[CHANGE_SYSCTL]++;
		event(ev, LOG_LVL_INFO, "net.ipv4.vs.%s set to 1", switches[i]);
		return true;
	}
	if (!s->failure_logged)
		event(ev, LOG_LVL_WARN,
		      "net.ipv4.vs.%s stays 0: %s: %s; going on, set it on the host", switches[i],
		      path_of(path, sizeof(path), s->dir, i), strerror(errno));
	return false;
}

/* Time in which expire_nodest_conn is needed begins, and ends so much later. */
static void hold(struct sysctl *s, uint64_t now, unsigned ms)
{
	s->quiet = false;
	s->quiet_at = now + ms;
}

/* True unless it is off and has to be on. */
static bool apply_expire(struct sysctl *s, struct events *ev)
{
	if (!s->quiet_at)
		hold(s, ev->now, SYSCTL_START_MS);
	if (s->quiet && sysctl_on(s->dir, EXPIRE)) /* another lvscare needs it, for example */
		hold(s, ev->now, s->hold_ms);
	if (!s->may_be_quiet || !sysctl_writable(s) || ev->now < s->quiet_at) {
		s->quiet = false;
		return turn_on(s, EXPIRE, ev);
	}
	if (!s->quiet && set(s->dir, EXPIRE, false) == 0) {
		s->quiet = true;
		log_debug("net.ipv4.vs.expire_nodest_conn set to 0: connections outlive a flush");
	}
	return true;
}

void sysctl_apply(struct sysctl *s, struct events *ev)
{
	bool all = turn_on(s, CONNTRACK, ev);

	all &= apply_expire(s, ev);
	s->failure_logged = !all;
}

void sysctl_expect_removal(struct sysctl *s, struct events *ev)
{
	hold(s, ev->now, s->hold_ms);
	if (!sysctl_on(s->dir, EXPIRE) && set(s->dir, EXPIRE, true) < 0)
		log_debug("net.ipv4.vs.expire_nodest_conn stays 0: %s", strerror(errno));
}

void sysctl_end(struct sysctl *s)
{
	if (s->quiet)
		set(s->dir, EXPIRE, true);
	s->quiet = false;
}
