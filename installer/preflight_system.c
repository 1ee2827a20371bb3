// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "json.h"
#include "mem.h"
#include "preflight_checks.h"
#include "strbuf.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define SKEW_WARN_MS    5000
#define SKEW_ERROR_MS   60000
#define MASTER_CPUS     2    /* kubeadm's NumCPU */
#define MASTER_MIB      1700 /* kubeadm's Mem */
#define WORKER_MIB      900  /* a machine with 1 GB has a little more than that left */
#define LABEL_VALUE_MAX 63   /* kubernetes.io/hostname is a label */

void check_size(const struct candidate *c, struct findings *f)
{
	long long cpus = fact_number(c->facts, "cpus", -1);
	long long mib = fact_number(c->facts, "memory_mib", -1);

	if (c->master && cpus >= 0 && cpus < MASTER_CPUS)
		finding_add(f, c, "NumCPU", LEVEL_ERROR,
		            "give the machine 2 CPUs, or --ignore-preflight-errors NumCPU",
		            "it has %lld CPU: a control plane needs %d", cpus, MASTER_CPUS);
	if (c->master && mib >= 0 && mib < MASTER_MIB)
		finding_add(f, c, "Mem", LEVEL_ERROR,
		            "give the machine 2 GB, or --ignore-preflight-errors Mem",
		            "it has %lld MiB of memory: a control plane needs %d", mib, MASTER_MIB);
	if (!c->master && mib >= 0 && mib < WORKER_MIB)
		finding_add(f, c, "Mem", LEVEL_WARNING, "give the machine 1 GB",
		            "it has %lld MiB of memory: little is left for pods", mib);
}

void check_system(const struct candidate *c, struct findings *f)
{
	auto_free char *controllers = fact_join(c->facts, "cgroup_missing", 8);

	if (fact_number(c->facts, "uid", -1) != 0)
		finding_add(f, c, "Root", LEVEL_ERROR, "log in as root, or as a user with sudo",
		            "the user is not root and sudo was not used");
	if (!json_flag(c->facts, "systemd"))
		finding_add(f, c, "Systemd", LEVEL_ERROR, "use a machine that systemd starts",
		            "systemd is not running");
	if (!json_flag(c->facts, "cgroup2"))
		finding_add(f, c, "Cgroup2", LEVEL_ERROR,
		            "boot with the kernel option systemd.unified_cgroup_hierarchy=1",
		            "/sys/fs/cgroup is not cgroup v2");
	else if (*controllers)
		finding_add(
		    f, c, "Cgroups", LEVEL_ERROR,
		    "boot without cgroup_disable=..., or (memory) with cgroup_enable=memory; "
		    "see cat /proc/cgroups",
		    "cgroup v2 lacks %s: kubelet does not start", controllers);
}

void check_clock(const struct candidate *c, struct findings *f)
{
	long long there = fact_number(c->facts, "time_ms", 0);
	/* somewhere between question and answer: only what lies outside is skew for sure */
	long long skew = there < c->asked_ms      ? c->asked_ms - there
	                 : there > c->answered_ms ? there - c->answered_ms
	                                          : 0;

	if (skew >= SKEW_WARN_MS)
		finding_add(
		    f, c, "TimeSkew", skew > SKEW_ERROR_MS ? LEVEL_ERROR : LEVEL_WARNING,
		    "timedatectl set-ntp true   # or date -s",
		    "its clock is %lld s %s this machine's: certificates would not be valid "
		    "yet",
		    skew / 1000, there < c->asked_ms ? "behind" : "ahead of");
}

void check_swap(const struct candidate *c, const struct cluster_config *cfg, struct findings *f)
{
	auto_free char *swap = fact_join(c->facts, "swap", 3);

	if (!*swap || config_allows_swap(cfg))
		return;
	if (strstr(swap, "zram"))
		finding_add(f, c, "Swap", LEVEL_ERROR,
		            "swapoff -a; systemctl mask systemd-zram-setup@zram0.service   # or "
		            "failSwapOn: "
		            "false in --config",
		            "swap is on (%s)", swap);
	else
		finding_add(f, c, "Swap", LEVEL_ERROR,
		            "swapoff -a && sed -i '/\\sswap\\s/s/^/#/' /etc/fstab   # or "
		            "failSwapOn: false in "
		            "--config",
		            "swap is on (%s)", swap);
}

/* ---- names ---- */

/* Why kubelet could not register under that name, NULL when it could. kubeadm makes it lower case
 * before. */
static const char *bad_name(const char *name)
{
	size_t len = strlen(name);

	if (!len)
		return "it is empty";
	if (len > LABEL_VALUE_MAX)
		return "it has more than 63 characters";
	if (strncasecmp(name, "localhost", 9) == 0 && (!name[9] || name[9] == '.'))
		return "every machine has that one";
	for (size_t i = 0; i < len; i++) {
		bool edge = i == 0 || i == len - 1 || name[i - 1] == '.' || name[i + 1] == '.';
		unsigned char ch = (unsigned char)name[i];

		if (isalnum(ch) && ch < 0x80)
			continue;
		if ((ch != '-' && ch != '.') || edge)
			return "a node's name has letters, digits, \"-\" and \".\", and each part "
			       "begins and ends with a letter or digit";
	}
	return NULL;
}

const char *candidate_node_name(const struct candidate *c)
{
	return c->node_name && *c->node_name ? c->node_name : json_text(c->facts, "hostname");
}

void check_names(const struct candidate *c, struct findings *f)
{
	const char *name = candidate_node_name(c), *why = bad_name(name);

	if (why)
		finding_add(f, c, "Hostname", LEVEL_ERROR,
		            "hostnamectl set-hostname NAME (and name it in /etc/hosts), or a name "
		            "of its own in "
		            "--hosts",
		            "Kubernetes refuses the hostname \"%.80s\" as node name: %s", name,
		            why);
}

/* ---- proxies, SELinux ---- */

/* Does an entry of no_proxy (an address, a network) cover the address, as Go's client reads it? */
static bool covered(const char *no_proxy, const struct addr *a)
{
	auto_free char *copy = xstrdup(no_proxy);
	char *next = copy, *one;

	while ((one = strsep(&next, ", "))) {
		struct cidr net;
		struct addr host;
		struct err ignored = {0};

		if (strcmp(one, "*") == 0)
			return true;
		if (strchr(one, '/')
		        ? cidr_parse(one, "", &net, &ignored) == 0 && cidr_contains(&net, a)
		        : *one && addr_parse(one, 0, "", &host, &ignored) == 0 &&
		              addr_same_host(&host, a))
			return true;
	}
	return false;
}

/* In /etc/environment a later line replaces an earlier one, and variables are not expanded. */
static char *proxy_fix(const char *where, const char *no_proxy, const char *vip,
                       const struct cluster_config *cfg)
{
	auto_free char *all = xasprintf("no_proxy=%s%s%s,%s,%s", no_proxy + (*no_proxy == ','),
	                                *no_proxy ? "," : "", vip, cfg->service_cidr,
	                                cfg->pod_cidr);
	auto_free char *word = shell_word(all);

	if (strncmp(where, "/etc/environment:", 17) == 0)
		return xasprintf("echo %s >> /etc/environment   # then log in anew", word);
	return xasprintf("echo export %s > /etc/profile.d/zz-kubecask.sh   # then log in anew",
	                 word);
}

void check_proxies(const struct candidate *c, const struct cluster_config *cfg, struct findings *f)
{
	const json_t *first = json_array_get(json_object_get(c->facts, "proxies"), 0);
	const char *where = json_string_value(first);
	char vip[ADDR_STR_MAX];
	auto_free char *fix = NULL;

	if (!where)
		return;
	addr_host(&cfg->vip, vip);
	if (covered(json_text(c->facts, "no_proxy"), &cfg->vip)) {
		finding_add(f, c, "Proxy", LEVEL_INFO, "",
		            "a proxy is set (%.300s): containerd and kubelet do not use it", where);
		return;
	}
	fix = proxy_fix(where, json_text(c->facts, "no_proxy"), vip, cfg);
	finding_add(f, c, "Proxy", LEVEL_WARNING, fix,
	            "a proxy is set and no_proxy does not name the virtual IP %s (%.300s): the "
	            "bundle's programs go around it, other clients of the API server do not; "
	            "containerd does not use it",
	            vip, where);
}

void check_security(const struct candidate *c, struct findings *f)
{
	if (strcmp(json_text(c->facts, "selinux"), "enforcing") == 0)
		finding_add(
		    f, c, "SELinux", LEVEL_WARNING,
		    "setenforce 0; sed -i 's/^SELINUX=enforcing/SELINUX=permissive/' "
		    "/etc/selinux/config",
		    "SELinux is enforcing: the bundle brings no policy, pods run without its "
		    "separation, and what it denies shows in ausearch -m avc");
	else if (strcmp(json_text(c->facts, "selinux"), "permissive") == 0)
		finding_add(f, c, "SELinux", LEVEL_INFO, "",
		            "SELinux is permissive: it denies nothing");
	if (json_flag(c->facts, "apparmor"))
		finding_add(f, c, "AppArmor", LEVEL_INFO, "",
		            "AppArmor is on: containerd gives pods its default profile where "
		            "apparmor_parser is installed");
}
