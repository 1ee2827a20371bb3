// SPDX-License-Identifier: Apache-2.0
/* What systemd is asked to do with our units. */
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "proc.h"
#include "state.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_S 120
#define WANTS     "/etc/systemd/system/multi-user.target.wants/"

static int run(const char *const argv[], struct strbuf *out, struct err *err)
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S};

	return proc_check(argv, &opts, out, err);
}

int units_check_systemd(struct err *err)
{
	if (fs_exists("/run/systemd/system"))
		return 0;
	return err_set(err, "systemd does not run on this machine: containerd and kubelet are "
	                    "started by it");
}

static const char *const links[] = {WANTS "containerd.service", WANTS "kubelet.service"};

bool units_enabled(void)
{
	return fs_exists(links[0]) && fs_exists(links[1]);
}

int units_reload_and_enable(struct err *err)
{
	const char *reload[] = {"systemctl", "daemon-reload", NULL};
	const char *enable[] = {"systemctl",       "-q", "enable", "containerd.service",
	                        "kubelet.service", NULL};

	/* earlier versions' units were links into /opt, and so these are */
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		char target[16];
		ssize_t n = readlink(links[i], target, sizeof(target));

		if (n >= 5 && memcmp(target, "/opt/", 5) == 0)
			unlink(links[i]);
	}
	if (run(reload, NULL, err) < 0)
		return -1;
	return run(enable, NULL, err);
}

/* Is the running containerd, when there is one, another program than dir's? */
static bool runs_another(const char *dir)
{
	const char *show[] = {"systemctl",          "show", "-p", "MainPID", "--value",
	                      "containerd.service", NULL};
	auto_free char *wanted = xasprintf("%s/bin/containerd", dir), *exe = NULL;
	auto_strbuf out = {0};
	struct digest want, now;
	struct err ignored = {0};
	long pid;

	if (run(show, &out, &ignored) < 0)
		return false;
	pid = strtol(strbuf_str(&out), NULL, 10);
	if (pid <= 0)
		return false;
	exe = xasprintf("/proc/%ld/exe", pid);
	if (digest_file(exe, &now, NULL, &ignored) < 0 ||
	    digest_file(wanted, &want, NULL, &ignored) < 0)
		return false;
	return !digest_eq(&want, &now);
}

int units_start_containerd(const char *dir, bool restart, struct err *err)
{
	bool again = restart || runs_another(dir);
	const char *argv[] = {"systemctl", again ? "restart" : "start", "containerd.service", NULL};

	if (again)
		journal("containerd is restarted");
	if (run(argv, NULL, err) < 0)
		return err_wrap(err, "%s containerd (journalctl -u containerd)", argv[1]);
	return 0;
}

void units_stop(void)
{
	const char *stop[] = {"systemctl",          "-q", "disable", "--now", "kubelet.service",
	                      "containerd.service", NULL};
	struct err why = {0};

	if (run(stop, NULL, &why) < 0)
		journal("systemctl disable: %s", why.msg);
}
