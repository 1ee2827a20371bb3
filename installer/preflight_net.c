// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "json.h"
#include "mem.h"
#include "preflight_checks.h"
#include "strbuf.h"

#include <string.h>

/* ---- addresses ---- */

/* Devices that carry no address of the machine's own network. */
static bool virtual_device(const char *name)
{
	static const char *const prefixes[] = {"lo",     "cni",   "flannel", "docker", "kube-",
	                                       "veth",   "virbr", "br-",     "cali",   "tunl",
	                                       "cilium", "vxlan", "lvs",     "podman"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static bool link_local(const struct addr *a)
{
	return a->family == AF_INET
	           ? a->bytes[0] == 127 || (a->bytes[0] == 169 && a->bytes[1] == 254)
	           : a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

/* Addresses of a family by which others could reach the machine: how many, the first in buf, all
 * of them in list (may be NULL). */
static size_t count_addresses(const struct candidate *c, int family, char buf[static 64],
                              struct strbuf *list)
{
	size_t n = 0, i;
	json_t *v;

	json_array_foreach (json_object_get(c->facts, "addresses"), i, v) {
		const char *text = json_text(v, "address");
		const char *dev = json_text(v, "device");
		struct addr a;
		struct err ignored = {0};

		if (addr_parse(text, 0, "", &a, &ignored) < 0 || a.family != family ||
		    link_local(&a) || virtual_device(dev))
			continue;
		if (n++ == 0)
			snprintf(buf, 64, "%s", text);
		if (list)
			strbuf_addf(list, "%s%s (%s)", list->len ? ", " : "", text, dev);
	}
	return n;
}

/* The same of IPv4, or of IPv6 when there is none of IPv4. */
static size_t own_addresses(const struct candidate *c, char buf[static 64], struct strbuf *list)
{
	size_t n = count_addresses(c, AF_INET, buf, list);

	return n ? n : count_addresses(c, AF_INET6, buf, list);
}

const char *candidate_address(const struct candidate *c, char buf[static 64])
{
	size_t i;
	json_t *v;

	if (c->addr) {
		char host[ADDR_STR_MAX];

		addr_host(c->addr, host);
		json_array_foreach (json_object_get(c->facts, "addresses"), i, v)
			if (strcmp(json_text(v, "address"), host) == 0) {
				snprintf(buf, 64, "%s", host);
				return buf;
			}
	}
	snprintf(buf, 64, "%s", json_text(c->facts, "default_source"));
	if (!*buf && own_addresses(c, buf, NULL) != 1)
		*buf = '\0';
	return buf;
}

bool candidates_have(const struct candidate *c, size_t n, const char *address)
{
	for (size_t i = 0; i < n; i++) {
		char own[64];

		if (strcmp(candidate_address(&c[i], own), address) == 0)
			return true;
	}
	return false;
}

/* A dual-stack node needs an address of each family. */
static void check_families(const struct candidate *c, const struct cluster_config *cfg,
                           struct findings *f)
{
	const int families[] = {AF_INET, AF_INET6};
	char buf[64];

	if (!config_has_family(cfg, AF_INET) || !config_has_family(cfg, AF_INET6))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (!count_addresses(c, families[i], buf, NULL))
			finding_add(
			    f, c, "Address", LEVEL_ERROR,
			    "give it one (ip addr add), or take that family out of the pod and "
			    "service ranges",
			    "it has no IPv%d address, which the pod or service range is of",
			    families[i] == AF_INET ? 4 : 6);
}

void check_address(const struct candidate *c, const struct cluster_config *cfg, struct findings *f)
{
	char buf[64], host[ADDR_STR_MAX], first[64];
	auto_strbuf all = {0};

	if (!*candidate_address(c, buf)) {
		size_t n = own_addresses(c, first, &all);
		auto_free char *fix = n ? xasprintf("name the one to use: --%s %s",
		                                    c->master ? "master" : "node", first)
		                        : xstrdup("give the machine an address (ip addr add)");

		if (n)
			finding_add(
			    f, c, "Address", LEVEL_ERROR, fix,
			    "it has no default route to tell its own address by, and several "
			    "addresses: %s",
			    strbuf_str(&all));
		else
			finding_add(
			    f, c, "Address", LEVEL_ERROR, fix,
			    "it has neither the address given nor a default route to tell its "
			    "own by");
	} else if (c->addr && strcmp(buf, addr_host(c->addr, host)) != 0) {
		finding_add(f, c, "Address", LEVEL_WARNING,
		            "if the others cannot reach it by that, name it by its own address",
		            "%s is not an address of its own; it will be known as %s", host, buf);
	} else if (!c->addr) {
		finding_add(f, c, "Address", LEVEL_INFO, "",
		            "it will be known as %s (another: --master ADDRESS)", buf);
	}
	check_families(c, cfg, f);
}

/* ---- networks ---- */

struct net {
	const char *what; /* "pod range" */
	const char *option;
	char text[ADDR_STR_MAX];
	struct cidr cidr;
};

#define NETS_MAX       8
#define SERVICE_OPTION "--service-cidr"

static void add_nets(struct net nets[static NETS_MAX], size_t *n, const char *what,
                     const char *option, const char *list)
{
	auto_free char *copy = xstrdup(list);
	char *next = copy, *one;

	while ((one = strsep(&next, ",")) && *n < NETS_MAX) {
		struct net *net = &nets[*n];
		struct err ignored = {0};

		if (cidr_parse(one, what, &net->cidr, &ignored) < 0)
			continue;
		net->what = what;
		net->option = option;
		snprintf(net->text, sizeof(net->text), "%s", one);
		(*n)++;
	}
}

/* The cluster's own networks, the virtual IP first. */
static size_t cluster_nets(const struct cluster_config *cfg, struct net nets[static NETS_MAX])
{
	char host[ADDR_STR_MAX], vip[ADDR_STR_MAX + 8];
	size_t n = 0;

	snprintf(vip, sizeof(vip), "%s/%d", addr_host(&cfg->vip, host),
	         cfg->vip.family == AF_INET ? 32 : 128);
	add_nets(nets, &n, "virtual IP", "--vip", vip);
	if (n)
		snprintf(nets[0].text, sizeof(nets[0].text), "%s", host);
	add_nets(nets, &n, "pod range", "--pod-cidr", cfg->pod_cidr);
	add_nets(nets, &n, "service range", SERVICE_OPTION, cfg->service_cidr);
	return n;
}

void check_networks(const struct candidate *c, const struct cluster_config *cfg, struct findings *f)
{
	struct net nets[NETS_MAX];
	size_t n = cluster_nets(cfg, nets);

	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++) {
			if (!cidr_overlaps(&nets[i].cidr, &nets[j].cidr))
				continue;
			if (i == 0)
				finding_add(
				    f, c, "VIP", LEVEL_ERROR,
				    "choose another with --vip, outside of all your networks",
				    "the virtual IP %s lies inside the %s %s", nets[0].text,
				    nets[j].what, nets[j].text);
			else
				finding_add(
				    f, c, "Networks", LEVEL_ERROR,
				    "choose others with --pod-cidr, --service-cidr (or networking "
				    "in --config)",
				    "%s %s and %s %s overlap", nets[i].what, nets[i].text,
				    nets[j].what, nets[j].text);
		}
}

static bool left_device(const struct candidate *c, const char *dev)
{
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(c->facts, "devices_left"), i, v)
		if (json_is_string(v) && strcmp(json_string_value(v), dev) == 0)
			return true;
	return false;
}

static void check_own_vip(const struct candidate *c, const char *vip, struct findings *f)
{
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(c->facts, "addresses"), i, v)
		if (strcmp(json_text(v, "address"), vip) == 0)
			finding_add(f, c, "VIP", LEVEL_ERROR,
			            "choose another with --vip, outside of all your networks",
			            "the virtual IP %s is an address of this machine (%s)", vip,
			            json_text(v, "device"));
}

static bool is_same(const struct cidr *a, const struct cidr *b)
{
	return a->bits == b->bits && cidr_overlaps(a, b);
}

/* A route to the very service range that leads to no network of the machine's: Services are reached
 * by it where there is no default route. */
static bool is_service_route(const struct candidate *c, const struct cidr *route,
                             const struct net *net)
{
	size_t i;
	json_t *v;

	if (strcmp(net->option, SERVICE_OPTION) != 0 || !is_same(route, &net->cidr))
		return false;
	json_array_foreach (json_object_get(c->facts, "addresses"), i, v) {
		struct addr own;
		struct err ignored = {0};

		if (addr_parse(json_text(v, "address"), 0, "", &own, &ignored) == 0 &&
		    cidr_contains(route, &own))
			return false;
	}
	return true;
}

/* kube-proxy sees what a program of the machine sends to a Service only if there is a route for it,
 * whatever that is; pods have one through their bridge. */
static void check_service_route(const struct candidate *c, const struct net *net,
                                struct findings *f)
{
	auto_free char *fix = xasprintf(
	    "ip route add %s dev DEVICE   # a network card's; also where "
	    "routes are configured",
	    net->text);
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(c->facts, "routes"), i, v) {
		struct cidr route;
		struct err ignored = {0};

		if (cidr_parse(json_text(v, "to"), "", &route, &ignored) == 0 &&
		    route.addr.family == net->cidr.addr.family &&
		    (!route.bits || is_same(&route, &net->cidr)))
			return;
	}
	finding_add(
	    f, c, "Route", LEVEL_WARNING, fix,
	    "no default %s route: programs of the machine itself (an API server that calls a "
	    "webhook) do not reach Services, pods do",
	    net->cidr.addr.family == AF_INET ? "IPv4" : "IPv6");
}

/* A machine's own networks against the cluster's. A route for the virtual IP itself is ours when we
 * were here before: this is for fresh machines. */
void check_routes(const struct candidate *c, const struct cluster_config *cfg, struct findings *f)
{
	struct net nets[NETS_MAX];
	size_t n = cluster_nets(cfg, nets), i;
	json_t *v;

	if (n)
		check_own_vip(c, nets[0].text, f);
	json_array_foreach (json_object_get(c->facts, "routes"), i, v) {
		const char *to = json_text(v, "to"), *dev = json_text(v, "device");
		struct cidr route;
		struct err ignored = {0};

		if (left_device(c, dev) || cidr_parse(to, "", &route, &ignored) < 0 || !route.bits)
			continue;
		for (size_t k = 0; k < n; k++) {
			auto_free char *fix = xasprintf(
			    "choose another with %s (ip route shows what "
			    "is taken)",
			    nets[k].option);

			if (!cidr_overlaps(&route, &nets[k].cidr) ||
			    is_service_route(c, &route, &nets[k]))
				continue;
			if (k == 0)
				finding_add(f, c, "VIP", LEVEL_ERROR, fix,
				            "the virtual IP %s lies inside the network of %s, %s",
				            nets[0].text, dev, to);
			else
				finding_add(f, c, "Networks", LEVEL_ERROR, fix,
				            "its network %s (%s) overlaps the %s %s", to, dev,
				            nets[k].what, nets[k].text);
		}
	}
	for (size_t k = 0; k < n; k++)
		if (strcmp(nets[k].option, SERVICE_OPTION) == 0)
			check_service_route(c, &nets[k], f);
}

/* ---- name servers ---- */

void check_dns(const struct candidate *c, struct findings *f)
{
	auto_free char *listed = fact_join(c->facts, "nameservers", 3);
	const char *file = json_text(c->facts, "resolv_conf");

	if (json_flag(c->facts, "nameserver"))
		return;
	if (*listed)
		finding_add(
		    f, c, "DNS", LEVEL_WARNING,
		    "to resolve more: name a server of your network in it (resolvectl dns, "
		    "DNS= in /etc/systemd/resolved.conf)",
		    "no nameserver in %s that pods could ask, only %s on the machine itself: "
		    "pods will not resolve names outside the cluster",
		    file, listed);
	else
		finding_add(f, c, "DNS", LEVEL_WARNING,
		            "to resolve more: name a server of your network in /etc/resolv.conf "
		            "(systemd-resolved: DNS= in /etc/systemd/resolved.conf)",
		            "no nameserver in %s: pods will not resolve names outside the cluster",
		            *file ? file : "/etc/resolv.conf");
}
