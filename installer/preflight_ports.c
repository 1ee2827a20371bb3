// SPDX-License-Identifier: Apache-2.0
/* Ports in use, and firewalls by what their rules say. What they let through between the machines
 * is tried in ports.c. */
#include "err.h"
#include "mem.h"
#include "preflight_checks.h"
#include "strbuf.h"

#include <string.h>

#define VXLAN_PORT 8472

void check_ports(const struct candidate *c, const struct cluster_config *cfg, struct findings *f)
{
	int ports[PORTS_MAX_OF];
	size_t n = needed_ports(cfg, c->master, ports);

	for (size_t i = 0; i < n; i++) {
		auto_free char *fix = xasprintf("ss -ltnp 'sport = :%d' names the program: stop it",
		                                ports[i]);

		if (fact_has_number(c->facts, "ports_busy", ports[i]))
			finding_add(f, c, "Port", LEVEL_ERROR, fix, "port %d is in use", ports[i]);
	}
	if (fact_true(c->facts, "flannel") && fact_has_number(c->facts, "udp_busy", VXLAN_PORT))
		finding_add(
		    f, c, "Port", LEVEL_ERROR,
		    "ss -lunp 'sport = :8472' names the program; ip -d link show type vxlan "
		    "the device: remove it",
		    "UDP port %d, which the pod network needs, is in use", VXLAN_PORT);
}

/* ---- firewalls ---- */

/* Some rule that lets packets through names the pod network: somebody has thought of it. */
static bool knows_pods(const struct candidate *c, const char *pod_cidr)
{
	auto_free char *copy = xstrdup(pod_cidr);
	char *next = copy, *one;

	while ((one = strsep(&next, ","))) {
		struct cidr pods, net;
		struct err ignored = {0};
		size_t i;
		json_t *v;

		if (cidr_parse(one, "", &pods, &ignored) < 0)
			continue;
		json_array_foreach (json_object_get(c->facts, "firewall_networks"), i, v)
			if (json_is_string(v) &&
			    cidr_parse(json_string_value(v), "", &net, &ignored) == 0 &&
			    net.bits > 0 && net.bits <= pods.bits && cidr_overlaps(&net, &pods))
				return true;
	}
	return false;
}

/* A chain by the policy alone is no bar to forwarding in iptables' own table: flannel and
 * kube-proxy append rules that accept before it. */
static bool bars_pods(const json_t *v)
{
	bool iptables = strcmp(fact_string(v, "table"), "filter") == 0 &&
	                strncmp(fact_string(v, "family"), "ip", 2) == 0;

	return !(iptables && strcmp(fact_string(v, "hook"), "forward") == 0 &&
	         strcmp(fact_string(v, "by"), "policy") == 0);
}

static void allow_nft(struct strbuf *out, const json_t *v, const char *what)
{
	strbuf_addf(out, "%snft insert rule %s %s %s %s accept", out->len ? "; " : "",
	            fact_string(v, "family"), fact_string(v, "table"), fact_string(v, "chain"),
	            what);
}

static void allow_iptables(struct strbuf *out, const json_t *v, const char *what)
{
	strbuf_addf(out, "%s%s -I %s %s -j ACCEPT", out->len ? "; " : "",
	            fact_true(v, "legacy") ? "iptables-legacy" : "iptables",
	            fact_string(v, "chain"), what);
}

static bool made_by_iptables(const json_t *v)
{
	const char *family = fact_string(v, "family");

	return strcmp(fact_string(v, "table"), "filter") == 0 && strcmp(family, "ip") == 0;
}

/* What lets pods through the chains that refuse; the caller's. */
static char *open_for_pods(const struct candidate *c, const struct cluster_config *cfg)
{
	const char *kind = fact_string(c->facts, "firewall"), *pods = cfg->pod_cidr;
	auto_free char *source = xasprintf("ip saddr %s", pods);
	auto_free char *dest = xasprintf("ip daddr %s", pods);
	auto_free char *from = xasprintf("-s %s", pods);
	auto_free char *to = xasprintf("-d %s", pods);
	auto_strbuf out = {0};
	size_t i;
	json_t *v;

	if (strcmp(kind, "firewalld") == 0)
		return xasprintf("firewall-cmd --permanent --zone=trusted --add-source=%s && "
		                 "firewall-cmd --reload; or systemctl disable --now firewalld",
		                 pods);
	if (strcmp(kind, "ufw") == 0)
		return xasprintf(
		    "ufw allow from %s && ufw route allow from %s && ufw route allow to "
		    "%s; or ufw disable",
		    pods, pods, pods);
	json_array_foreach (json_object_get(c->facts, "firewall_refuses"), i, v) {
		bool forward = strcmp(fact_string(v, "hook"), "forward") == 0;

		if (!bars_pods(v) || strcmp(fact_string(v, "family"), "ip6") == 0 || i >= 4)
			continue;
		if (made_by_iptables(v)) {
			allow_iptables(&out, v, from);
			if (forward)
				allow_iptables(&out, v, to);
		} else {
			allow_nft(&out, v, source);
			if (forward)
				allow_nft(&out, v, dest);
		}
	}
	return out.len ? strbuf_detach(&out) : xstrdup("allow the pod range in its rules");
}

char *firewall_open(const struct candidate *c, const struct strlist *ports)
{
	const char *kind = fact_string(c->facts, "firewall");
	bool firewalld = strcmp(kind, "firewalld") == 0, ufw = strcmp(kind, "ufw") == 0;
	const json_t *input = NULL, *v;
	auto_strbuf out = {0};
	size_t i;

	json_array_foreach (json_object_get(c->facts, "firewall_refuses"), i, v)
		if (strcmp(fact_string(v, "hook"), "input") == 0 && !input)
			input = v;
	for (size_t k = 0; k < ports->n; k++) {
		const char *p = ports->v[k], *proto = strchr(p, '/') ? strchr(p, '/') + 1 : "tcp";
		int len = (int)strcspn(p, "/");

		if (firewalld)
			strbuf_addf(&out, "firewall-cmd --permanent --add-port=%s && ", p);
		else if (ufw)
			strbuf_addf(&out, "%sufw allow %s", k ? " && " : "", p);
		else if (input && made_by_iptables(input)) {
			auto_free char *rule = xasprintf("-p %s --dport %.*s", proto, len, p);

			allow_iptables(&out, input, rule);
		} else if (input) {
			auto_free char *rule = xasprintf("%s dport %.*s", proto, len, p);

			allow_nft(&out, input, rule);
		} else {
			strbuf_addf(&out, "%s%s",
			            k ? ", "
			              : "let these through, on this machine or what "
			                "lies between (cloud security group, switch): ",
			            p);
		}
	}
	if (firewalld)
		strbuf_addstr(&out, "firewall-cmd --reload");
	return out.len ? strbuf_detach(&out) : xstrdup("");
}

void check_firewall(const struct candidate *c, const struct cluster_config *cfg, struct findings *f)
{
	const char *kind = fact_string(c->facts, "firewall");
	auto_free char *fix = NULL;
	auto_strbuf chains = {0};
	size_t i, n = 0;
	json_t *v;

	json_array_foreach (json_object_get(c->facts, "firewall_refuses"), i, v) {
		if (!bars_pods(v))
			continue;
		if (n++ < 4)
			strbuf_addf(&chains, "%s%s %s %s", chains.len ? ", " : "",
			            fact_string(v, "family"), fact_string(v, "table"),
			            fact_string(v, "chain"));
	}
	if (!n && !*kind)
		return;
	if (!n) {
		finding_add(f, c, "Firewall", LEVEL_INFO, "", "%s is active and refuses nothing",
		            kind);
		return;
	}
	fix = open_for_pods(c, cfg);
	if (knows_pods(c, cfg->pod_cidr))
		finding_add(f, c, "Firewall", LEVEL_WARNING, "",
		            "a firewall is active (%s%s%s): it names the pod range %s", kind,
		            *kind ? ": " : "", strbuf_str(&chains), cfg->pod_cidr);
	else
		finding_add(
		    f, c, "Firewall", LEVEL_ERROR, fix,
		    "a firewall is active (%s%s%s) and refuses what pods send: CoreDNS would "
		    "never be ready",
		    kind, *kind ? ": " : "", strbuf_str(&chains));
}
