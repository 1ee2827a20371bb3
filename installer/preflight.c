// SPDX-License-Identifier: Apache-2.0
/* Which check is for which machine; the checks themselves are in preflight_*.c. */
#include "preflight.h"

#include "cluster.h"
#include "config.h"
#include "err.h"
#include "json.h"
#include "mem.h"
#include "net.h"
#include "preflight_checks.h"
#include "strbuf.h"

#include <string.h>
#include <strings.h>

/* ---- what a machine is ---- */

static const char *kubeadm_state(const json_t *facts)
{
	return json_text(json_object_get(facts, "state"), "kubeadm");
}

static bool has_cluster(const json_t *facts)
{
	return json_flag(facts, "kubelet_conf") || json_flag(facts, "admin_conf") ||
	       json_flag(facts, "apiserver_manifest") || json_flag(facts, "etcd_data");
}

enum node_state candidate_state(const struct candidate *c)
{
	const char *how = kubeadm_state(c->facts);

	/* our record counts less than what the cluster says */
	if (strcmp(how, "init-started") == 0 || strcmp(how, "join-started") == 0)
		return half_run_decide(c->facts, c->cluster, NULL, 0) == HALF_MEMBER ? NODE_MEMBER
		                                                                     : NODE_HALF;
	if (!has_cluster(c->facts))
		return *json_text(json_object_get(c->facts, "state"), "damaged") ? NODE_FOREIGN
		                                                                 : NODE_FRESH;
	if (!json_flag(c->facts, "ours"))
		return NODE_FOREIGN;
	/* also by plain kubeadm on a node that has our files */
	return json_flag(c->facts, "kubelet_conf") ? NODE_MEMBER : NODE_FOREIGN;
}

bool candidate_fresh_etcd(const struct candidate *c)
{
	return json_flag(c->facts, "etcd_only_lost_found");
}

json_t *preflight_question(bool flannel)
{
	json_t *q = json_pack("{sb s[ssss]}", "flannel", flannel, "modules", "overlay",
	                      "br_netfilter", "ip_vs_wrr or ip_vs_rr or nft_numgen",
	                      "nf_conntrack");

	if (flannel)
		json_array_append_new(json_object_get(q, "modules"), json_string("vxlan"));
	return q;
}

/* ---- checks between machines ---- */

static const struct {
	const char *fact, *check, *shown;
	enum level level;
	const char *fix;
} unique[] = {
    {"hostname", "Hostname", "hostname", LEVEL_ERROR, "hostnamectl set-hostname NAME"},
    {"machine_id", "MachineID", "machine-id", LEVEL_ERROR,
     "rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup; reboot"},
    {"product_uuid", "ProductUUID", "product_uuid", LEVEL_WARNING,
     "give the virtual machine a UUID of its own"},
};

static const char *unique_value(const struct candidate *c, size_t kind)
{
	return kind ? json_text(c->facts, unique[kind].fact) : candidate_node_name(c);
}

static void check_twins(const struct candidate *c, size_t n, struct findings *f)
{
	for (size_t k = 0; k < ARRAY_SIZE(unique); k++)
		for (size_t i = 1; i < n; i++)
			for (size_t j = 0; j < i; j++) {
				const char *a = unique_value(&c[i], k);

				if (!*a || strcasecmp(a, unique_value(&c[j], k)) != 0)
					continue;
				finding_add(f, &c[i], unique[k].check, unique[k].level,
				            unique[k].fix, "%s %.100s is also that of %s",
				            unique[k].shown, a, c[j].name);
				break;
			}
}

/* A NAT card has the same address on every machine: none would reach another. */
static void check_same_address(const struct candidate *c, size_t n, struct findings *f)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = 0; j < i; j++) {
			char a[64], b[64];

			if (!*candidate_address(&c[i], a) ||
			    strcmp(a, candidate_address(&c[j], b)) != 0)
				continue;
			finding_add(f, &c[i], "Address", LEVEL_ERROR,
			            "name each machine by an address of its own that the others "
			            "reach",
			            "address %s is also that of %s", a, c[j].name);
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
			finding_add(f, &c[i], "Cluster", LEVEL_ERROR,
			            "name that cluster's masters with --master, or reset it first: "
			            "kubecask reset",
			            "it is a member of a cluster, but no given master is");
		else if (strcmp(json_text(c[i].facts, "ca"), json_text(first->facts, "ca")) != 0)
			finding_add(f, &c[i], "Cluster", LEVEL_ERROR,
			            "reset it first, if its data may go: kubecask reset",
			            "it is a member of another cluster than %s", first->name);
	}
}

/* ---- all ---- */

/* Ports and room are taken by what an unfinished run of ours left, which is cleared. */
static void check_fresh(const struct candidate *c, const struct cluster_config *cfg,
                        const struct space *need, struct findings *f)
{
	check_names(c, f);
	check_ports(c, cfg, f);
	check_disk(c, cfg, need, f);
	check_routes(c, cfg, f);
	check_leftovers(c, cfg, f);
	check_firewall(c, cfg, f);
	check_proxies(c, cfg, f);
}

/* The record of what was done there cannot be read (state.h). */
static void check_state(const struct candidate *c, struct findings *f)
{
	const char *damaged = json_text(json_object_get(c->facts, "state"), "damaged");

	if (*damaged)
		finding_add(f, c, "State", LEVEL_ERROR,
		            "restore /var/lib/kubecask/state.json, or kubecask reset", "%s",
		            damaged);
}

static void check_machine(const struct candidate *c, const struct cluster_config *cfg,
                          const struct space need[static 2], struct findings *f)
{
	enum node_state state = candidate_state(c);

	check_state(c, f);
	check_system(c, f);
	check_dns(c, f);
	check_clock(c, f);
	check_address(c, cfg, f);
	check_foreign(c, f);
	if (state == NODE_MEMBER)
		return;
	check_size(c, f);
	check_modules(c, f);
	check_swap(c, cfg, f);
	check_security(c, f);
	if (state == NODE_FRESH)
		check_fresh(c, cfg, &need[c->master], f);
}

void preflight(const struct candidate *c, size_t n, const struct cluster_config *cfg,
               const struct space need[static 2], const struct strlist *ignore,
               struct findings *out)
{
	*out = (struct findings){0};
	if (n)
		check_networks(&c[0], cfg, out);
	for (size_t i = 0; i < n; i++)
		check_machine(&c[i], cfg, need, out);
	check_proxy_mode(c, n, cfg, out);
	check_twins(c, n, out);
	check_same_address(c, n, out);
	check_membership(c, n, out);
	findings_ignore(out, cfg, ignore);
}
