// SPDX-License-Identifier: Apache-2.0
/* Ports in use, and firewalls by what their rules say. What they let through between the machines
 * is tried in ports.c. */
#include "err.h"
#include "json.h"
#include "mem.h"
#include "preflight_checks.h"
#include "strbuf.h"

#include <string.h>

#define VXLAN_PORT          8472
#define FLANNEL_HEALTH_PORT 8081

static void check_port(const struct candidate *c, int port, const char *of, struct findings *f)
{
	auto_free char *fix = xasprintf("ss -ltnp 'sport = :%d'   # names the program: stop it",
	                                port);

	if (fact_has_number(c->facts, "ports_busy", port))
		finding_add(f, c, "Port", LEVEL_ERROR, fix, "port %d%s is in use", port, of);
}

void check_ports(const struct candidate *c, const struct cluster_config *cfg, struct findings *f)
{
	int ports[PORTS_MAX_OF];
	size_t n = needed_ports(cfg, c->master, ports);

	for (size_t i = 0; i < n; i++)
		check_port(c, ports[i], "", f);
	if (!json_flag(c->facts, "flannel"))
		return;
	check_port(c, FLANNEL_HEALTH_PORT, ", at which flannel answers health probes,", f);
	if (fact_has_number(c->facts, "udp_busy", VXLAN_PORT))
		finding_add(f, c, "Port", LEVEL_ERROR,
		            "ss -lunp 'sport = :8472'; ip -d link show type vxlan   # program or "
		            "device: remove it",
		            "UDP port %d, which the pod network needs, is in use", VXLAN_PORT);
}

/* ---- firewalls ---- */

/* Does a rule that does not refuse name the pod network? */
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
	bool iptables = strcmp(json_text(v, "table"), "filter") == 0 &&
	                strncmp(json_text(v, "family"), "ip", 2) == 0;

	return !(iptables && strcmp(json_text(v, "hook"), "forward") == 0 &&
	         strcmp(json_text(v, "by"), "policy") == 0);
}

static void allow_nft(struct strbuf *out, const json_t *v, const char *what)
{
	auto_free char *family = shell_word(json_text(v, "family"));
	auto_free char *table = shell_word(json_text(v, "table"));
	auto_free char *chain = shell_word(json_text(v, "chain"));

	strbuf_addf(out, "%snft insert rule %s %s %s %s accept", out->len ? "; " : "", family,
	            table, chain, what);
}

static void allow_iptables(struct strbuf *out, const json_t *v, const char *what)
{
	auto_free char *chain = shell_word(json_text(v, "chain"));

	strbuf_addf(out, "%s%s -I %s %s -j ACCEPT", out->len ? "; " : "",
	            strcmp(json_text(v, "family"), "ip6") == 0 ? "ip6tables"
	            : json_flag(v, "legacy")                   ? "iptables-legacy"
	                                                       : "iptables",
	            chain, what);
}

static bool made_by_iptables(const json_t *v)
{
	const char *family = json_text(v, "family");

	return strcmp(json_text(v, "table"), "filter") == 0 && strncmp(family, "ip", 2) == 0;
}

/* What lets one pod range through a chain that refuses. */
static void open_chain(struct strbuf *out, const json_t *v, const char *pods)
{
	const char *family = strchr(pods, ':') ? "ip6" : "ip", *theirs = json_text(v, "family");
	bool forward = strcmp(json_text(v, "hook"), "forward") == 0;
	auto_free char *source = xasprintf("%s saddr %s", family, pods);
	auto_free char *dest = xasprintf("%s daddr %s", family, pods);
	auto_free char *from = xasprintf("-s %s", pods);
	auto_free char *to = xasprintf("-d %s", pods);

	if (strcmp(theirs, "inet") != 0 && strcmp(theirs, family) != 0)
		return;
	if (made_by_iptables(v)) {
		allow_iptables(out, v, from);
		if (forward)
			allow_iptables(out, v, to);
	} else {
		allow_nft(out, v, source);
		if (forward)
			allow_nft(out, v, dest);
	}
}

static void open_range(struct strbuf *out, const struct candidate *c, const char *pods)
{
	const char *kind = json_text(c->facts, "firewall");
	size_t i;
	json_t *v;

	if (strcmp(kind, "firewalld") == 0)
		strbuf_addf(out, "firewall-cmd --permanent --zone=trusted --add-source=%s && ",
		            pods);
	else if (strcmp(kind, "ufw") == 0)
		strbuf_addf(
		    out, "%sufw allow from %s && ufw route allow from %s && ufw route allow to %s",
		    out->len ? " && " : "", pods, pods, pods);
	else
		json_array_foreach (json_object_get(c->facts, "firewall_refuses"), i, v)
			if (bars_pods(v) && i < 4)
				open_chain(out, v, pods);
}

/* What lets pods through the chains that refuse; the caller's. */
static char *open_for_pods(const struct candidate *c, const struct cluster_config *cfg)
{
	auto_free char *copy = xstrdup(cfg->pod_cidr);
	char *next = copy, *one;
	auto_strbuf out = {0};

	while ((one = strsep(&next, ",")))
		open_range(&out, c, one);
	if (strcmp(json_text(c->facts, "firewall"), "firewalld") == 0)
		strbuf_addstr(&out, "firewall-cmd --reload");
	return out.len ? strbuf_detach(&out) : xstrdup("allow the pod range in its rules");
}

char *firewall_open(const struct candidate *c, const struct strlist *ports)
{
	const char *kind = json_text(c->facts, "firewall");
	bool firewalld = strcmp(kind, "firewalld") == 0, ufw = strcmp(kind, "ufw") == 0;
	const json_t *input = NULL, *v;
	auto_strbuf out = {0};
	size_t i;

	json_array_foreach (json_object_get(c->facts, "firewall_refuses"), i, v)
		if (strcmp(json_text(v, "hook"), "input") == 0 && !input)
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
	const char *kind = json_text(c->facts, "firewall");
	auto_free char *fix = NULL;
	auto_strbuf chains = {0};
	size_t i, n = 0;
	json_t *v;

	json_array_foreach (json_object_get(c->facts, "firewall_refuses"), i, v) {
		if (!bars_pods(v))
			continue;
		if (n++ < 4)
			strbuf_addf(&chains, "%s%s %s %s", chains.len ? ", " : "",
			            json_text(v, "family"), json_text(v, "table"),
			            json_text(v, "chain"));
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
