// SPDX-License-Identifier: Apache-2.0
/*
 * Kernel modules as kmod sees them: loaded or built in (/sys/module, modules.builtin), or a file
 * (modules.dep) that no `install NAME /bin/false` line of modprobe.d keeps from being loaded. A
 * `blacklist` line does not: it only stops loading by alias.
 */
#include "err.h"
#include "facts.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"

#include <fnmatch.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CGROUP "/sys/fs/cgroup"

/* What a mode of kube-proxy needs of the kernel: kube-proxy's own rules, and those that kubelet,
 * flannel and the portmap plugin add by iptables. */
static const struct {
	const char *mode;
	const char *needs[16];
} modes[] = {
    {"iptables",
     {"nft_compat or iptable_nat", "xt_comment", "xt_conntrack", "xt_mark", "xt_addrtype",
      "xt_statistic", "xt_nat", "xt_MASQUERADE or ipt_MASQUERADE", NULL}},
    {"nftables",
     {"nf_tables", "nft_ct", "nft_nat", "nft_masq", "nft_numgen", "nft_chain_nat",
      "nft_fib_ipv4 or nft_fib_inet", "nft_reject", NULL}},
    {"ipvs",
     {"nft_compat or iptable_nat", "xt_comment", "xt_conntrack", "xt_mark", "ip_vs", "ip_vs_rr",
      "ip_set", "xt_set", "xt_MASQUERADE or ipt_MASQUERADE", NULL}},
};

/* ---- modprobe.d ---- */

struct disabled {
	const char *name; /* of the module that is looked for */
	const char *file;
	char *where; /* "FILE: LINE" of the line that disables it */
};

static void underscores(char *s)
{
	for (; *s; s++)
		if (*s == '-')
			*s = '_';
}

/* A command that does nothing, whatever its path. */
static bool does_nothing(const char *command)
{
	static const char *const words[] = {"true", "false", ":"};
	size_t len = strcspn(command, " \t;#");
	const char *base = command;

	for (const char *p = command; p < command + len; p++)
		if (*p == '/')
			base = p + 1;
	len -= (size_t)(base - command);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i]) == len && memcmp(words[i], base, len) == 0)
			return true;
	return false;
}

/* "install NAME COMMAND"; NAME may be a pattern. */
static void match_install(void *ctx, char *line)
{
	struct disabled *d = ctx;
	auto_free char *copy = xstrdup(line);
	char *next = copy, *word, *name;

	next += strspn(next, " \t");
	word = strsep(&next, " \t");
	if (strcmp(word, "install") != 0 || !next)
		return;
	next += strspn(next, " \t");
	name = strsep(&next, " \t");
	underscores(name);
	if (!next || fnmatch(name, d->name, 0) != 0)
		return;
	next += strspn(next, " \t");
	if (!does_nothing(next))
		return;
	free(d->where);
	d->where = xasprintf("%s: %s", d->file, line);
}

/* Where a line of modprobe.d keeps the module from being loaded; the caller's, or NULL. A file in
 * an earlier directory hides one of the same name in a later one. */
static char *disabled_where(const char *name)
{
	static const char *const dirs[] = {"/etc/modprobe.d", "/run/modprobe.d",
	                                   "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d",
	                                   "/lib/modprobe.d"};
	struct disabled d = {.name = name};
	auto_strlist seen = {0};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		auto_strlist files = {0};
		struct err ignored = {0};

		if (fs_list(dirs[i], &files, &ignored) < 0)
			continue;
		for (size_t k = 0; k < files.n; k++) {
			auto_free char *path = xasprintf("%s/%s", dirs[i], files.v[k]);
			size_t len = strlen(files.v[k]);

			if (len < 5 || strcmp(files.v[k] + len - 5, ".conf") != 0 ||
			    strlist_has(&seen, files.v[k]))
				continue;
			strlist_add(&seen, files.v[k]);
			d.file = path;
			facts_each_line(path, match_install, &d);
		}
	}
	return d.where;
}

/* ---- modules ---- */

struct module_search {
	const char *name;
	bool found;
};

/* "kernel/net/netfilter/ipvs/ip_vs.ko.xz: ..." in modules.dep, the same without colon in
 * modules.builtin; - and _ are one and the same in module names. */
static void match_module(void *ctx, char *line)
{
	struct module_search *s = ctx;
	char *base, *end;

	line[strcspn(line, ":")] = '\0';
	base = strrchr(line, '/');
	base = base ? base + 1 : line;
	end = strstr(base, ".ko");
	if (!end)
		return;
	*end = '\0';
	underscores(base);
	if (strcmp(base, s->name) == 0)
		s->found = true;
}

static bool listed(const char *name, const char *release, const char *file)
{
	auto_free char *path = xasprintf("/lib/modules/%s/%s", release, file);
	struct module_search s = {.name = name};

	facts_each_line(path, match_module, &s);
	return s.found;
}

/* Is it there? A file that must not be loaded is noted in disabled (may be NULL). */
static bool module_available(const char *name, const char *release, json_t *disabled)
{
	auto_free char *loaded = xasprintf("/sys/module/%s", name);
	auto_free char *where = NULL;

	if (fs_exists(loaded) || listed(name, release, "modules.builtin"))
		return true;
	if (!listed(name, release, "modules.dep"))
		return false;
	where = disabled_where(name);
	if (where && disabled)
		facts_add(disabled, where);
	return !where;
}

/* "ip_vs_wrr or nft_numgen": any of them will do. */
static bool one_available(const char *names, const char *release, json_t *disabled)
{
	auto_free char *copy = xstrdup(names);
	char *next = copy;

	while (next) {
		char *name = next;

		next = strstr(name, " or ");
		if (next) {
			*next = '\0';
			next += strlen(" or ");
		}
		if (module_available(name, release, disabled))
			return true;
	}
	return false;
}

static void add_modules(const json_t *args, const char *release, json_t *out)
{
	json_t *missing = json_array(), *disabled = json_array();
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(args, "modules"), i, v) {
		const char *name = json_string_value(v);

		if (name && !strchr(name, '/') && !one_available(name, release, disabled))
			json_array_append(missing, v);
	}
	json_object_set_new(out, "modules_missing", missing);
	json_object_set_new(out, "modules_disabled", disabled);
}

/* Without the kernel's own list of what is built in nothing can be said. */
static void add_proxy_modes(const char *release, json_t *out)
{
	auto_free char *builtin = xasprintf("/lib/modules/%s/modules.builtin", release);
	json_t *all = json_object();
	bool known = fs_exists(builtin);

	for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
		json_t *missing = json_array();

		for (size_t i = 0; known && modes[m].needs[i]; i++)
			if (!one_available(modes[m].needs[i], release, NULL))
				facts_add(missing, modes[m].needs[i]);
		json_object_set_new(all, modes[m].mode, missing);
	}
	json_object_set_new(out, "proxy_missing", all);
}

/* ---- machine ---- */

static void add_cgroups(json_t *out)
{
	static const char *const needed[] = {"cpu", "cpuset", "memory", "pids"};
	auto_free char *line = facts_first_line(CGROUP "/cgroup.controllers");
	auto_free char *words = xasprintf(" %s ", line);
	json_t *missing = json_array();
	struct statfs sf;
	bool v2 = statfs(CGROUP, &sf) == 0 && sf.f_type == CGROUP2_SUPER_MAGIC;

	for (size_t i = 0; v2 && i < ARRAY_SIZE(needed); i++) {
		auto_free char *word = xasprintf(" %s ", needed[i]);

		if (!strstr(words, word))
			facts_add(missing, needed[i]);
	}
	json_object_set_new(out, "cgroup2", json_boolean(v2));
	json_object_set_new(out, "cgroup_missing", missing);
}

static void add_swap(void *ctx, char *line)
{
	if (*line == '/' && json_array_size(ctx) < FACTS_MAX)
		json_array_append_new(ctx, json_stringn(line, strcspn(line, " \t")));
}

void facts_kernel(const json_t *args, json_t *out)
{
	json_t *swap = json_array();
	struct sysinfo si;
	struct utsname u;

	uname(&u);
	facts_string(out, "kernel", u.release);
	facts_string(out, "hostname", u.nodename);
	json_object_set_new(out, "cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	if (sysinfo(&si) == 0)
		json_object_set_new(
		    out, "memory_mib",
		    json_integer((json_int_t)(((uint64_t)si.totalram * si.mem_unit) >> 20)));
	facts_each_line("/proc/swaps", add_swap, swap);
	json_object_set_new(out, "swap", swap);
	add_modules(args, u.release, out);
	add_proxy_modes(u.release, out);
	add_cgroups(out);
	json_object_set_new(out, "systemd", json_boolean(fs_exists("/run/systemd/system")));
}
