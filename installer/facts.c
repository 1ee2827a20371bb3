// SPDX-License-Identifier: Apache-2.0
/* What a machine is and has, as the controller's preflight wants to know it. Reads only. */
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "net.h"
#include "node.h"
#include "oci.h"
#include "proto.h"
#include "state.h"
#include "strbuf.h"
#include "units.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define PROC_MAX (4u << 20)

static void set_string(json_t *o, const char *key, const char *value)
{
	auto_free char *s = xstrdup(value);

	text_neutralise(s, false);
	json_object_set_new(o, key, json_string(s));
}

/* First line of a file, or "". */
static char *first_line(const char *path)
{
	auto_strbuf text = {0};
	struct err err = {0};

	if (fs_read(path, PROC_MAX, &text, &err) < 0)
		return xstrdup("");
	return xstrndup(strbuf_str(&text), strcspn(strbuf_str(&text), "\n"));
}

/* Calls fn for each line of a file; a file that cannot be read has none. */
static void each_line(const char *path, void (*fn)(void *ctx, char *line), void *ctx)
{
	auto_strbuf text = {0};
	struct err err = {0};
	char *next, *line;

	if (fs_read(path, PROC_MAX, &text, &err) < 0 || !text.len)
		return;
	next = text.buf;
	while ((line = strsep(&next, "\n")))
		fn(ctx, line);
}

/* ---- kernel ---- */

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
	for (char *c = base; *c; c++)
		if (*c == '-')
			*c = '_';
	if (strcmp(base, s->name) == 0)
		s->found = true;
}

static bool module_available(const char *name, const char *release)
{
	auto_free char *loaded = xasprintf("/sys/module/%s", name);
	auto_free char *builtin = xasprintf("/lib/modules/%s/modules.builtin", release);
	auto_free char *dep = xasprintf("/lib/modules/%s/modules.dep", release);
	struct module_search s = {.name = name};

	if (fs_exists(loaded))
		return true;
	each_line(builtin, match_module, &s);
	if (!s.found)
		each_line(dep, match_module, &s);
	return s.found;
}

/* "ip_vs_wrr or nft_numgen": any of them will do. */
static bool one_available(const char *names, const char *release)
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
		if (module_available(name, release))
			return true;
	}
	return false;
}

/* A file system type that the kernel knows already, whatever /lib/modules says. */
static void kernel_facts(const json_t *args, json_t *out)
{
	json_t *missing = json_array();
	struct utsname u;
	struct statfs sf;
	size_t i;
	json_t *v;

	uname(&u);
	set_string(out, "kernel", u.release);
	set_string(out, "hostname", u.nodename);
	json_array_foreach (json_object_get(args, "modules"), i, v) {
		const char *name = json_string_value(v);

		if (name && !strchr(name, '/') && !one_available(name, u.release))
			json_array_append(missing, v);
	}
	json_object_set_new(out, "modules_missing", missing);
	json_object_set_new(
	    out, "cgroup2",
	    json_boolean(statfs("/sys/fs/cgroup", &sf) == 0 && sf.f_type == CGROUP2_SUPER_MAGIC));
	json_object_set_new(out, "systemd", json_boolean(fs_exists("/run/systemd/system")));
}

/* ---- network ---- */

static void add_addresses(json_t *out)
{
	json_t *list = json_array();
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		all = NULL;
	for (struct ifaddrs *ifa = all; ifa; ifa = ifa->ifa_next) {
		int family = ifa->ifa_addr ? ifa->ifa_addr->sa_family : AF_UNSPEC;
		char text[INET6_ADDRSTRLEN];
		const void *raw;

		if (family != AF_INET && family != AF_INET6)
			continue;
		raw =
		    family == AF_INET
			? (const void *)&((struct sockaddr_in *)(void *)ifa->ifa_addr)->sin_addr
			: (const void *)&((struct sockaddr_in6 *)(void *)ifa->ifa_addr)->sin6_addr;
		if (inet_ntop(family, raw, text, sizeof(text)))
			json_array_append_new(
			    list, json_pack("{ss ss}", "address", text, "device", ifa->ifa_name));
	}
	freeifaddrs(all);
	json_object_set_new(out, "addresses", list);
}

/* One line of /proc/net/route: device, destination and mask in host-order hex. */
static void add_route(void *ctx, char *line)
{
	char dev[32], cidr[ADDR_STR_MAX];
	unsigned dest, mask;
	struct cidr c = {.addr.family = AF_INET};

	if (sscanf(line, "%31s %x %*x %*x %*d %*d %*d %x", dev, &dest, &mask) != 3 || mask == 0)
		return;
	c.addr.v4.s_addr = dest;
	c.bits = (uint8_t)__builtin_popcount(mask);
	json_array_append_new(ctx, json_pack("{ss ss}", "to", cidr_str(&c, cidr), "device", dev));
}

/* The address that this machine talks from by default; a connected UDP socket sends nothing. */
static void add_default_source(json_t *out)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)}, from = {0};
	socklen_t len = sizeof(from);
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[INET_ADDRSTRLEN] = "";

	inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&from, &len) == 0)
		inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text));
	set_string(out, "default_source", text);
}

struct port_search {
	const json_t *wanted;
	json_t *busy;
};

/* A line of /proc/net/tcp: the local port in hex behind the last colon of field 2, state 0A =
 * LISTEN. */
static void match_port(void *ctx, char *line)
{
	struct port_search *s = ctx;
	unsigned port, st;
	size_t i;
	json_t *v;

	if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &port, &st) != 2 ||
	    st != 0x0a)
		return;
	json_array_foreach (s->wanted, i, v) {
		size_t j;
		json_t *seen;
		bool twice = false;

		if ((unsigned)json_integer_value(v) != port)
			continue;
		json_array_foreach (s->busy, j, seen)
			twice |= json_equal(seen, v);
		if (!twice)
			json_array_append(s->busy, v);
	}
}

static void has_nameserver(void *ctx, char *line)
{
	if (strncmp(line, "nameserver ", 11) == 0)
		*(bool *)ctx = true;
}

static void network_facts(const json_t *args, json_t *out)
{
	struct port_search ports = {json_object_get(args, "ports"), json_array()};
	json_t *routes = json_array();
	bool dns = false;

	add_addresses(out);
	each_line("/proc/net/route", add_route, routes);
	json_object_set_new(out, "routes", routes);
	add_default_source(out);
	each_line("/proc/net/tcp", match_port, &ports);
	each_line("/proc/net/tcp6", match_port, &ports);
	json_object_set_new(out, "ports_busy", ports.busy);
	each_line("/etc/resolv.conf", has_nameserver, &dns);
	json_object_set_new(out, "nameserver", json_boolean(dns));
}

/* ---- disk, swap ---- */

/* Free bytes below path, or below what exists of it; dev tells file systems apart. */
static void add_disk(json_t *out, const char *key, const char *path)
{
	auto_free char *p = xstrdup(path);
	struct statvfs sv;
	struct stat st;
	char *slash;

	while (stat(p, &st) < 0 && (slash = strrchr(p, '/')) && slash != p)
		*slash = '\0';
	if (statvfs(p, &sv) < 0 || stat(p, &st) < 0)
		return;
	json_object_set_new(
	    out, key,
	    json_pack("{sI sI sb}", "free", (json_int_t)sv.f_bavail * (json_int_t)sv.f_frsize,
	              "dev", (json_int_t)st.st_dev, "readonly", (sv.f_flag & ST_RDONLY) != 0));
}

static void add_swap(void *ctx, char *line)
{
	if (*line == '/')
		json_array_append_new(ctx, json_stringn(line, strcspn(line, " \t")));
}

/* ---- who is here already ---- */

static bool points_to_us(const char *path)
{
	char target[256];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return strncmp(target, DIR_OPT "/", strlen(DIR_OPT "/")) == 0;
}

/* Other container runtimes and kubelets: each thing found that is not a link of ours. */
static void add_foreign(json_t *list)
{
	static const char *const paths[] = {
	    "/etc/systemd/system/containerd.service",
	    "/etc/systemd/system/kubelet.service",
	    "/etc/systemd/system/docker.service",
	    "/etc/systemd/system/k3s.service",
	    "/lib/systemd/system/containerd.service",
	    "/lib/systemd/system/kubelet.service",
	    "/lib/systemd/system/docker.service",
	    "/lib/systemd/system/crio.service",
	    "/usr/bin/kubeadm",
	    "/usr/bin/kubelet",
	    DIR_BIN "/kubeadm",
	    DIR_BIN "/kubelet",
	    DIR_BIN "/kubectl",
	    DIR_BIN "/ctr",
	    DIR_BIN "/lvscare",
	    DIR_BIN "/etcdctl",
	    DIR_BIN "/kubecask",
	    DIR_BIN "/containerd",
	    "/run/docker.sock",
	    "/run/crio/crio.sock",
	    "/var/lib/rancher",
	    "/var/lib/k0s",
	    "/etc/containerd/config.toml",
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (fs_exists(paths[i]) && !points_to_us(paths[i]) && !units_is_ours(paths[i]))
			json_array_append_new(list, json_string(paths[i]));
}

static void cluster_facts(json_t *out)
{
	json_t *state = state_load(), *foreign = json_array();
	struct digest ca;
	struct err err = {0};

	add_foreign(foreign);
	json_object_set_new(out, "foreign", foreign);
	json_object_set_new(out, "admin_conf", json_boolean(fs_exists(ADMIN_CONF)));
	json_object_set_new(out, "kubelet_conf", json_boolean(fs_exists(KUBELET_CONF)));
	json_object_set_new(
	    out, "apiserver_manifest",
	    json_boolean(fs_exists("/etc/kubernetes/manifests/kube-apiserver.yaml")));
	json_object_set_new(out, "etcd_data", json_boolean(fs_exists("/var/lib/etcd/member")));
	json_object_set_new(out, "ours", json_boolean(json_object_size(state) > 0));
	if (fs_exists(CA_CERT) && digest_file(CA_CERT, &ca, NULL, &err) == 0)
		json_object_set_new(out, "ca", json_string(ca.str));
	json_object_set_new(out, "state", state);
}

int op_facts(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	auto_free char *machine_id = first_line("/etc/machine-id");
	json_t *swap = json_array();
	struct timespec ts;

	/* before anything is looked at: an unfinished operation would change it */
	if (json_is_true(json_object_get(args, "lock")) && node_lock(n, err) < 0) {
		json_decref(swap);
		return -1;
	}
	json_object_set_new(result, "protocol", json_integer(PROTO_VERSION));
	json_object_set_new(result, "version", json_string(KUBECASK_VERSION));
	json_object_set_new(result, "uid", json_integer((json_int_t)geteuid()));
	set_string(result, "arch", oci_host_arch());
	set_string(result, "machine_id", machine_id);
	kernel_facts(args, result);
	network_facts(args, result);
	add_disk(result, "disk_opt", DIR_OPT);
	add_disk(result, "disk_var_lib", "/var/lib/containerd");
	each_line("/proc/swaps", add_swap, swap);
	json_object_set_new(result, "swap", swap);
	cluster_facts(result);
	clock_gettime(CLOCK_REALTIME, &ts);
	json_object_set_new(result, "time_ms",
	                    json_integer(ts.tv_sec * 1000LL + ts.tv_nsec / 1000000));
	return 0;
}
