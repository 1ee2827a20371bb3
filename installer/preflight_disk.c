// SPDX-License-Identifier: Apache-2.0
/*
 * Room: what a bundle needs is added up per file system, and what is left must stay above kubelet's
 * eviction thresholds, or the node gets the taint disk-pressure and CoreDNS never starts.
 */
#include "json.h"
#include "mem.h"
#include "preflight_checks.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

#define MIB           (1024 * 1024)
#define ETCD_ROOM     (512ULL * MIB)
#define INODES_NEEDED 20000

#define OPT           "/opt/kubecask"
#define BIN           "/usr/local/bin"
#define CONTAINERD    "/var/lib/containerd"
#define KUBELET       "/var/lib/kubelet"
#define ETCD          "/var/lib/etcd"
#define STATE         "/var/lib/kubecask"

static const json_t *disk(const struct candidate *c, const char *path)
{
	return json_object_get(json_object_get(c->facts, "disks"), path);
}

static uint64_t bytes(const json_t *d, const char *key)
{
	long long v = fact_number(d, key, 0);

	return v > 0 ? (uint64_t)v : 0;
}

/* ---- options of file systems ---- */

static char *remount(const char *option, const char *mount)
{
	auto_free char *word = shell_word(mount);

	return xasprintf("mount -o remount,%s %s   # and in /etc/fstab", option, word);
}

static void check_options(const struct candidate *c, struct findings *f)
{
	static const char *const written[] = {OPT,        BIN,     "/etc",    STATE,
	                                      CONTAINERD, KUBELET, "/var/log"};
	const json_t *opt = disk(c, OPT), *kubelet = disk(c, KUBELET);
	const json_t *seen[ARRAY_SIZE(written)] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(written); i++) {
		const json_t *d = disk(c, written[i]);
		const char *mount = json_text(d, "mount");
		auto_free char *fix = remount("rw", mount);
		bool again = false;

		if (!json_flag(d, "readonly"))
			continue;
		for (size_t k = 0; k < i; k++)
			again |= seen[k] && strcmp(json_text(seen[k], "mount"), mount) == 0;
		seen[i] = d;
		if (again)
			continue;
		if (strcmp(written[i], BIN) == 0)
			finding_add(
			    f, c, "ReadOnly", LEVEL_WARNING, fix,
			    "%s is mounted read-only (%s): the commands get no links there, "
			    "call them as /opt/kubecask/current/bin/kubectl",
			    written[i], mount);
		else
			finding_add(f, c, "ReadOnly", LEVEL_ERROR, fix,
			            "%s is mounted read-only (%s): files must be written there",
			            written[i], mount);
	}
	if (json_flag(opt, "noexec")) {
		auto_free char *fix = remount("exec", json_text(opt, "mount"));

		finding_add(f, c, "NoExec", LEVEL_ERROR, fix,
		            "%s is mounted noexec: the programs in /opt/kubecask cannot be run",
		            json_text(opt, "mount"));
	}
	if (json_flag(kubelet, "noexec")) {
		auto_free char *fix = remount("exec", json_text(kubelet, "mount"));

		finding_add(f, c, "NoExec", LEVEL_WARNING, fix,
		            "%s is mounted noexec: pods cannot run programs from their volumes",
		            json_text(kubelet, "mount"));
	}
}

/* A file system of its own that is not mounted again at boot takes its content away. */
static void check_boot(const struct candidate *c, const char *etcd, struct findings *f)
{
	const char *const paths[] = {OPT, CONTAINERD, KUBELET, etcd};
	const char *last = "";

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const json_t *d = disk(c, paths[i]);
		const char *mount = json_text(d, "mount");
		bool tmpfs = strcmp(json_text(d, "type"), "tmpfs") == 0;

		if (!d || !*mount || strcmp(mount, "/") == 0 || strcmp(mount, last) == 0 ||
		    (json_flag(d, "at_boot") && !tmpfs))
			continue;
		if (paths[i] == etcd && !c->master)
			continue;
		last = mount;
		finding_add(
		    f, c, "Mount", LEVEL_WARNING,
		    tmpfs ? "use a file system on a disk"
			  : "findmnt -no SOURCE,TARGET,FSTYPE   # add the line to /etc/fstab",
		    tmpfs ? "%s is a file system in memory: what is in it is gone after a reboot"
			  : "%s is a file system of its own that neither /etc/fstab nor a "
			    "mount unit names: it is gone after a reboot",
		    mount);
	}
}

/* kubelet would empty it. */
static void check_pod_logs(const struct candidate *c, struct findings *f)
{
	size_t i;
	json_t *point;

	json_array_foreach (json_object_get(c->facts, "pod_log_mounts"), i, point) {
		const char *path = json_string_value(point);
		auto_free char *word = shell_word(path ? path : "");
		auto_free char *fix = xasprintf("umount %s   # and mount it elsewhere", word);

		if (path)
			finding_add(f, c, "Mount", LEVEL_ERROR, fix,
			            "%s is a mount below /var/log/pods: kubelet removes whatever "
			            "lies there and belongs to no pod, what is mounted too",
			            path);
	}
}

/* ---- room ---- */

/* A threshold ("10%", "1Gi", "500Mi", bytes) of a file system's total, in bytes. */
static uint64_t threshold(const char *text, uint64_t total)
{
	static const struct {
		const char *suffix;
		uint64_t factor;
	} units[] = {{"Ki", 1ULL << 10}, {"Mi", 1ULL << 20}, {"Gi", 1ULL << 30}, {"Ti", 1ULL << 40},
	             {"k", 1000},        {"M", 1000000},     {"G", 1000000000},  {"", 1}};
	char *end;
	double v = strtod(text, &end);

	if (v < 0 || v > 1e15)
		return 0;
	if (strcmp(end, "%") == 0)
		return (uint64_t)((double)total * v / 100);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(end, units[i].suffix) == 0)
			return (uint64_t)(v * (double)units[i].factor);
	return 0;
}

struct want {
	const char *path;
	uint64_t need;
	const char *signal, *standard; /* kubelet watches it */
	bool counted;
};

/* The paths of one file system together, with what kubelet wants to keep free there. */
static void check_file_system(const struct candidate *c, const struct cluster_config *cfg,
                              struct want *w, size_t n, size_t first, struct findings *f)
{
	const json_t *d = disk(c, w[first].path);
	uint64_t free_now = bytes(d, "free"), total = bytes(d, "total"), need = 0, keep = 0;
	const char *kept = "";
	auto_strbuf names = {0};

	for (size_t i = first; i < n; i++) {
		const json_t *o = disk(c, w[i].path);

		if (w[i].counted || !o ||
		    !json_equal(json_object_get(o, "dev"), json_object_get(d, "dev")))
			continue;
		w[i].counted = true;
		need += w[i].need;
		if (w[i].need)
			strbuf_addf(&names, "%s%s", names.len ? " and " : "", w[i].path);
		if (w[i].signal) {
			const char *t = user_eviction(cfg, w[i].signal, w[i].standard);
			uint64_t bound = threshold(t, total);

			kept = bound > keep ? w[i].signal : kept;
			keep = bound > keep ? bound : keep;
		}
	}
	if (free_now < need)
		finding_add(
		    f, c, "Disk", LEVEL_ERROR,
		    "free some space (du -xsh /var/* /opt/*), or mount a bigger file system "
		    "there",
		    "%s%s: %llu MiB free, %llu MiB needed", strbuf_str(&names),
		    strchr(strbuf_str(&names), ' ') ? " together" : "",
		    (unsigned long long)(free_now / MIB), (unsigned long long)(need / MIB));
	else if (free_now - need < keep)
		finding_add(
		    f, c, "Disk", LEVEL_ERROR,
		    "free some space, mount a bigger file system there, or set evictionHard of "
		    "KubeletConfiguration in --config",
		    "%s: %llu MiB would be left of %llu, kubelet evicts pods below %llu "
		    "(%s)",
		    *json_text(d, "mount") ? json_text(d, "mount") : w[first].path,
		    (unsigned long long)((free_now - need) / MIB),
		    (unsigned long long)(total / MIB), (unsigned long long)(keep / MIB), kept);
}

static void check_inodes(const struct candidate *c, const struct cluster_config *cfg,
                         const char *path, const char *signal, struct findings *f)
{
	const json_t *d = disk(c, path);
	uint64_t all = bytes(d, "inodes"), left = bytes(d, "inodes_free");
	uint64_t want = threshold(user_eviction(cfg, signal, "5%"), all) + INODES_NEEDED;

	/* btrfs and the like have no fixed number and say 0 */
	if (all && left < want)
		finding_add(
		    f, c, "Inodes", LEVEL_ERROR,
		    "remove small files (du --inodes -xs /var/*), or make the file system with "
		    "more inodes",
		    "%s: %llu inodes free of %llu, %llu needed", path, (unsigned long long)left,
		    (unsigned long long)all, (unsigned long long)want);
}

void check_disk(const struct candidate *c, const struct cluster_config *cfg,
                const struct space *need, struct findings *f)
{
	struct want w[] = {
	    {.path = OPT, .need = need->opt},
	    {.path = CONTAINERD,
	     .need = need->var_lib,
	     .signal = "imagefs.available",
	     .standard = "15%"},
	    {.path = KUBELET, .signal = "nodefs.available", .standard = "10%"},
	    {.path = config_etcd_dir(cfg), .need = c->master ? ETCD_ROOM : 0},
	    {.path = STATE, .need = c->snapshot},
	};

	check_options(c, f);
	check_boot(c, config_etcd_dir(cfg), f);
	check_pod_logs(c, f);
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		if (!w[i].counted && disk(c, w[i].path))
			check_file_system(c, cfg, w, ARRAY_SIZE(w), i, f);
	check_inodes(c, cfg, CONTAINERD, "imagefs.inodesFree", f);
	if (!json_equal(json_object_get(disk(c, CONTAINERD), "dev"),
	                json_object_get(disk(c, KUBELET), "dev")))
		check_inodes(c, cfg, KUBELET, "nodefs.inodesFree", f);
}
