// SPDX-License-Identifier: Apache-2.0
#include "preflight.h"

#include "config.h"
#include "err.h"
#include "mem.h"
#include "net.h"
#include "proto.h"
#include "strbuf.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SKEW_WARN_MS  5000
#define SKEW_ERROR_MS 60000
#define MIB           (1024 * 1024)

static const int master_ports[] = {6443, 2379, 2380, 10250, 10257, 10259, 10297};
static const int worker_ports[] = {10250, 10297}; /* kubelet; lvscare, for its liveness probe */

/* ---- findings ---- */

__attribute__((format(printf, 5, 6))) static void add(struct findings *f, const struct candidate *c,
                                                      const char *check, bool error,
                                                      const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_neutralise(text, false); /* facts are a node's words */
	f->v = xreallocarray(f->v, f->n + 1, sizeof(*f->v));
	f->v[f->n++] = (struct finding){
	    .node = xstrdup(c->name), .check = check, .error = error, .text = xstrdup(text)};
}

size_t findings_errors(const struct findings *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->v[i].error;
	return n;
}

void findings_print(const struct findings *f, FILE *out)
{
	int node = 4, check = 5;

	for (size_t i = 0; i < f->n; i++) {
		int a = (int)strlen(f->v[i].node), b = (int)strlen(f->v[i].check);

		node = a > node ? a : node;
		check = b > check ? b : check;
	}
	fprintf(out, "%-*s  %-7s  %-*s  %s\n", node, "NODE", "LEVEL", check, "CHECK", "FINDING");
	for (size_t i = 0; i < f->n; i++)
		fprintf(out, "%-*s  %-7s  %-*s  %s\n", node, f->v[i].node,
		        f->v[i].error ? "error" : "warning", check, f->v[i].check, f->v[i].text);
}

json_t *findings_json(const struct findings *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->n; i++)
		json_array_append_new(list,
		                      json_pack("{ss ss ss ss}", "node", f->v[i].node, "level",
		                                f->v[i].error ? "error" : "warning", "check",
		                                f->v[i].check, "finding", f->v[i].text));
	return list;
}

void findings_release(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].node);
		free(f->v[i].text);
	}
	free(f->v);
	*f = (struct findings){0};
}

/* ---- facts ---- */

const char *fact_string(const json_t *facts, const char *key)
{
	const char *s = json_string_value(json_object_get(facts, key));

	return s ? s : "";
}

static bool fact_true(const json_t *facts, const char *key)
{
	return json_is_true(json_object_get(facts, key));
}

static const char *kubeadm_state(const json_t *facts)
{
	return fact_string(json_object_get(facts, "state"), "kubeadm");
}

static bool has_cluster(const json_t *facts)
{
	return fact_true(facts, "kubelet_conf") || fact_true(facts, "admin_conf") ||
	       fact_true(facts, "apiserver_manifest") || fact_true(facts, "etcd_data");
}

enum node_state candidate_state(const struct candidate *c)
{
	const char *how = kubeadm_state(c->facts);

	if (strcmp(how, "init-started") == 0 || strcmp(how, "join-started") == 0)
		return NODE_HALF;
	if (!has_cluster(c->facts))
		return NODE_FRESH;
	if (!fact_true(c->facts, "ours"))
		return NODE_FOREIGN;
	/* also by plain kubeadm on a node that has our files */
	return fact_true(c->facts, "kubelet_conf") ? NODE_MEMBER : NODE_FOREIGN;
}

const char *candidate_address(const struct candidate *c, char buf[static 64])
{
	size_t i;
	json_t *v;

	if (c->addr) {
		char host[ADDR_STR_MAX];

		addr_host(c->addr, host);
		json_array_foreach (json_object_get(c->facts, "addresses"), i, v)
			if (strcmp(fact_string(v, "address"), host) == 0) {
				snprintf(buf, 64, "%s", host);
				return buf;
			}
	}
	snprintf(buf, 64, "%s", fact_string(c->facts, "default_source"));
	return buf;
}

json_t *preflight_question(bool flannel)
{
	json_t *q = json_pack("{s[] s[ssss]}", "ports", "modules", "overlay", "br_netfilter",
	                      "ip_vs_wrr or nft_numgen", "nf_conntrack");
	json_t *ports = json_object_get(q, "ports");

	for (size_t i = 0; i < ARRAY_SIZE(master_ports); i++)
		json_array_append_new(ports, json_integer(master_ports[i]));
	if (flannel)
		json_array_append_new(json_object_get(q, "modules"), json_string("vxlan"));
	return q;
}

/* ---- checks of one machine ---- */

static void check_system(const struct candidate *c, struct findings *f)
{
	const json_t *missing = json_object_get(c->facts, "modules_missing");
	auto_strbuf names = {0};
	size_t i;
	json_t *v;

	if (json_integer_value(json_object_get(c->facts, "uid")) != 0)
		add(f, c, "Root", true, "the user is not root and sudo was not used");
	if (!fact_true(c->facts, "systemd"))
		add(f, c, "Systemd", true, "systemd is not running");
	if (!fact_true(c->facts, "cgroup2"))
		add(f, c, "Cgroup2", true,
		    "/sys/fs/cgroup is not cgroup v2 (kernel option "
		    "systemd.unified_cgroup_hierarchy=1)");
	json_array_foreach (missing, i, v)
		if (json_is_string(v))
			strbuf_addf(&names, "%s%s", names.len ? ", " : "", json_string_value(v));
	if (names.len)
		add(f, c, "Kernel", true, "kernel %s has no %s", fact_string(c->facts, "kernel"),
		    strbuf_str(&names));
	if (!fact_true(c->facts, "nameserver"))
		add(f, c, "DNS", false,
		    "no nameserver in /etc/resolv.conf: pods will not resolve names outside the "
		    "cluster");
}

static void check_clock(const struct candidate *c, struct findings *f)
{
	const json_t *t = json_object_get(c->facts, "time_ms");
	long long there = (long long)json_integer_value(t);
	/* somewhere between question and answer: only what lies outside is skew for sure */
	long long skew = there < c->asked_ms      ? c->asked_ms - there
	                 : there > c->answered_ms ? there - c->answered_ms
	                                          : 0;

	if (skew >= SKEW_WARN_MS)
		add(f, c, "TimeSkew", skew > SKEW_ERROR_MS,
		    "its clock is %lld s %s this machine's: certificates would not be valid yet; "
		    "set it, or "
		    "run a time service",
		    skew / 1000, there < c->asked_ms ? "behind" : "ahead of");
}

static void check_swap(const struct candidate *c, const struct cluster_config *cfg,
                       struct findings *f)
{
	const json_t *swap = json_object_get(c->facts, "swap");

	if (json_array_size(swap) && !config_allows_swap(cfg))
		add(f, c, "Swap", true,
		    "swap is on (%s): switch it off (swapoff -a, and in /etc/fstab), or set "
		    "failSwapOn: "
		    "false in --config",
		    json_string_value(json_array_get(swap, 0)));
}

static bool port_busy(const json_t *facts, int port)
{
	const json_t *busy = json_object_get(facts, "ports_busy");
	size_t i;
	json_t *v;

	json_array_foreach (busy, i, v)
		if (json_integer_value(v) == port)
			return true;
	return false;
}

static void check_ports(const struct candidate *c, struct findings *f)
{
	const int *ports = c->master ? master_ports : worker_ports;
	size_t n = c->master ? ARRAY_SIZE(master_ports) : ARRAY_SIZE(worker_ports);

	for (size_t i = 0; i < n; i++)
		if (port_busy(c->facts, ports[i]))
			add(f, c, "Port", true, "port %d is in use (ss -ltnp 'sport = :%d')",
			    ports[i], ports[i]);
}

static void check_disk(const struct candidate *c, const struct space *need, struct findings *f)
{
	const json_t *opt = json_object_get(c->facts, "disk_opt");
	const json_t *var = json_object_get(c->facts, "disk_var_lib");
	uint64_t opt_free = (uint64_t)json_integer_value(json_object_get(opt, "free"));
	uint64_t var_free = (uint64_t)json_integer_value(json_object_get(var, "free"));
	bool same = json_equal(json_object_get(opt, "dev"), json_object_get(var, "dev"));
	uint64_t opt_need = same ? need->opt + need->var_lib : need->opt;

	if (fact_true(opt, "readonly") || fact_true(var, "readonly"))
		add(f, c, "Disk", true, "/opt or /var/lib is mounted read-only");
	if (opt_free < opt_need)
		add(f, c, "Disk", true, "%s: %llu MiB free, %llu MiB needed",
		    same ? "/opt and /var/lib together" : "/opt",
		    (unsigned long long)(opt_free / MIB), (unsigned long long)(opt_need / MIB));
	if (!same && var_free < need->var_lib)
		add(f, c, "Disk", true, "/var/lib: %llu MiB free, %llu MiB needed",
		    (unsigned long long)(var_free / MIB),
		    (unsigned long long)(need->var_lib / MIB));
}

static void check_foreign(const struct candidate *c, struct findings *f)
{
	const json_t *foreign = json_object_get(c->facts, "foreign");
	auto_strbuf names = {0};
	size_t i;
	json_t *v;

	json_array_foreach (foreign, i, v)
		if (json_is_string(v) && i < 4)
			strbuf_addf(&names, "%s%s", names.len ? ", " : "", json_string_value(v));
	if (names.len)
		add(f, c, "Foreign", true,
		    "another container runtime, kubelet or file of that name is here: %s%s; remove "
		    "it first",
		    strbuf_str(&names), json_array_size(foreign) > 4 ? " ..." : "");
	if (candidate_state(c) == NODE_FOREIGN)
		add(f, c, "Cluster", true,
		    "it belongs to a cluster that was not made by kubecask (/etc/kubernetes): "
		    "remove that "
		    "first (kubeadm reset)");
}

/* ---- checks of the network ---- */

static void overlap(const struct candidate *c, const char *what, const char *text,
                    const struct cidr *vip, struct findings *f)
{
	auto_free char *copy = xstrdup(text);
	char *next = copy, *one, host[ADDR_STR_MAX];

	while ((one = strsep(&next, ","))) {
		struct cidr net;
		struct err ignored = {0};

		if (cidr_parse(one, what, &net, &ignored) == 0 && cidr_overlaps(&net, vip))
			add(f, c, "VIP", true,
			    "the virtual IP %s lies inside %s %s: choose another with --vip",
			    addr_host(&vip->addr, host), what, one);
	}
}

static struct cidr host_cidr(const struct addr *a)
{
	struct cidr c = {.addr = *a, .bits = a->family == AF_INET ? 32 : 128};

	c.addr.port = 0;
	return c;
}

/* The route for the virtual IP itself is ours when we were here before. */
static void check_vip(const struct candidate *c, const struct cluster_config *cfg,
                      struct findings *f)
{
	struct cidr vip = host_cidr(&cfg->vip);
	char host[ADDR_STR_MAX];
	size_t i;
	json_t *v;

	addr_host(&vip.addr, host);
	json_array_foreach (json_object_get(c->facts, "addresses"), i, v)
		if (strcmp(fact_string(v, "address"), host) == 0)
			add(f, c, "VIP", true,
			    "the virtual IP %s is an address of this machine (%s)", host,
			    fact_string(v, "device"));
	json_array_foreach (json_object_get(c->facts, "routes"), i, v) {
		auto_free char *what = xasprintf("the network of %s,", fact_string(v, "device"));

		overlap(c, what, fact_string(v, "to"), &vip, f);
	}
}

static void check_networks(const struct candidate *c, const struct cluster_config *cfg,
                           struct findings *f)
{
	struct cidr vip = host_cidr(&cfg->vip), pods, services;
	struct err ignored = {0};

	overlap(c, "the service range", cfg->service_cidr, &vip, f);
	overlap(c, "the pod range", cfg->pod_cidr, &vip, f);
	if (cidr_parse(cfg->pod_cidr, "", &pods, &ignored) == 0 &&
	    cidr_parse(cfg->service_cidr, "", &services, &ignored) == 0 &&
	    cidr_overlaps(&pods, &services))
		add(f, c, "Networks", true, "pod range %s and service range %s overlap",
		    cfg->pod_cidr, cfg->service_cidr);
}

/* A machine's own networks against the pod and service ranges. */
static void check_ranges(const struct candidate *c, const struct cluster_config *cfg,
                         struct findings *f)
{
	const char *ranges[] = {cfg->pod_cidr, cfg->service_cidr};
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(c->facts, "routes"), i, v)
		for (size_t r = 0; r < ARRAY_SIZE(ranges); r++) {
			struct cidr route, range;
			struct err ignored = {0};

			if (cidr_parse(fact_string(v, "to"), "", &route, &ignored) == 0 &&
			    cidr_parse(ranges[r], "", &range, &ignored) == 0 &&
			    cidr_overlaps(&route, &range))
				add(f, c, "Networks", true,
				    "its network %s (%s) overlaps the %s range %s (--%s-cidr)",
				    fact_string(v, "to"), fact_string(v, "device"),
				    r ? "service" : "pod", ranges[r], r ? "service" : "pod");
		}
}

static void check_address(const struct candidate *c, struct findings *f)
{
	char buf[64], host[ADDR_STR_MAX];

	if (!*candidate_address(c, buf))
		add(f, c, "Address", true,
		    "it has neither the address given nor a default route to tell its own by");
	else if (c->addr && strcmp(buf, addr_host(c->addr, host)) != 0)
		add(f, c, "Address", false,
		    "%s is not an address of its own; it will be known as %s", host, buf);
}

/* ---- checks between machines ---- */

static void check_twins(const struct candidate *c, size_t n, struct findings *f)
{
	static const struct {
		const char *fact, *check, *shown;
	} kinds[] = {{"hostname", "Hostname", "hostname"},
	             {"machine_id", "MachineID", "machine-id"}};

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t i = 1; i < n; i++)
			for (size_t j = 0; j < i; j++) {
				const char *a = fact_string(c[i].facts, kinds[k].fact);

				if (!*a ||
				    strcasecmp(a, fact_string(c[j].facts, kinds[k].fact)) != 0)
					continue;
				add(f, &c[i], kinds[k].check, true, "%s %s is also that of %s",
				    kinds[k].shown, a, c[j].name);
				break;
			}
}

/* All members must belong to one cluster. */
static void check_membership(const struct candidate *c, size_t n, struct findings *f)
{
	const struct candidate *first = NULL;

	for (size_t i = 0; i < n; i++)
		if (c[i].master && candidate_state(&c[i]) == NODE_MEMBER && !first)
			first = &c[i];
	for (size_t i = 0; i < n; i++) {
		if (candidate_state(&c[i]) != NODE_MEMBER || &c[i] == first || c[i].alone)
			continue;
		if (!first)
			add(f, &c[i], "Cluster", true,
			    "it is a member of a cluster, but no given master is: name that "
			    "cluster's masters, "
			    "or reset it first (kubecask reset)");
		else if (strcmp(fact_string(c[i].facts, "ca"), fact_string(first->facts, "ca")) !=
		         0)
			add(f, &c[i], "Cluster", true,
			    "it is a member of another cluster than %s: reset it first (kubecask "
			    "reset)",
			    first->name);
	}
}

static void ignore_named(struct findings *f, const struct strlist *ignore)
{
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; ignore && k < ignore->n; k++)
			if (strcasecmp(ignore->v[k], f->v[i].check) == 0 ||
			    strcasecmp(ignore->v[k], "all") == 0)
				f->v[i].error = false;
}

void preflight(const struct candidate *c, size_t n, const struct cluster_config *cfg,
               const struct space need[static 2], const struct strlist *ignore,
               struct findings *out)
{
	*out = (struct findings){0};
	if (n)
		check_networks(&c[0], cfg, out);
	for (size_t i = 0; i < n; i++) {
		enum node_state state = candidate_state(&c[i]);

		check_system(&c[i], out);
		check_clock(&c[i], out);
		check_address(&c[i], out);
		check_foreign(&c[i], out);
		if (state == NODE_MEMBER)
			continue;
		check_swap(&c[i], cfg, out);
		if (state !=
		    NODE_FRESH) /* our own leftovers hold ports and routes; they are cleared */
			continue;
		check_ports(&c[i], out);
		check_disk(&c[i], &need[c[i].master], out);
		check_vip(&c[i], cfg, out);
		check_ranges(&c[i], cfg, out);
	}
	check_twins(c, n, out);
	check_membership(c, n, out);
	ignore_named(out, ignore);
}
