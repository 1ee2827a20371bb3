// SPDX-License-Identifier: Apache-2.0
#include "facts_firewall.h"

#include "facts.h"
#include "fs.h"
#include "mem.h"

#include <string.h>

void firewall_refusing(struct firewall *f, const char *family, const char *table, const char *chain,
                       const char *hook, const char *by, bool legacy)
{
	json_t *o;

	if (json_array_size(f->refusing) >= FACTS_MAX)
		return;
	o = json_pack("{ss ss ss sb}", "family", family, "hook", hook, "by", by, "legacy", legacy);
	facts_string(o, "table", table);
	facts_string(o, "chain", chain);
	json_array_append_new(f->refusing, o);
}

void firewall_name(struct firewall *f, const char *name)
{
	static const char *const clusters[] = {"KUBE-",    "cali",  "CILIUM_", "CNI-",
	                                       "FLANNEL-", "WEAVE", "KUBE_",   "kube-proxy"};
	static const char *const firewalls[] = {"firewalld", "ufw-", "ufw6-"};

	for (size_t i = 0; i < ARRAY_SIZE(clusters); i++)
		if (strncmp(name, clusters[i], strlen(clusters[i])) == 0)
			facts_add(f->chains, name);
	for (size_t i = 0; i < ARRAY_SIZE(firewalls); i++)
		if (strncmp(name, firewalls[i], strlen(firewalls[i])) == 0)
			facts_add(f->names, firewalls[i]);
}

static bool in_list(const json_t *list, const char *name)
{
	size_t i;
	json_t *v;

	json_array_foreach (list, i, v)
		if (strcmp(json_string_value(v), name) == 0)
			return true;
	return false;
}

void facts_firewall(json_t *out)
{
	struct firewall f = {.refusing = json_array(),
	                     .networks = json_array(),
	                     .chains = json_array(),
	                     .names = json_array()};

	firewall_nft(&f);
	firewall_legacy(&f);
	facts_string(out, "firewall",
	             in_list(f.names, "firewalld") || facts_unit_active("firewalld") ? "firewalld"
	             : in_list(f.names, "ufw-")                                      ? "ufw"
	                                                                             : "");
	json_decref(f.names);
	json_object_set_new(out, "firewall_refuses", f.refusing);
	json_object_set_new(out, "firewall_networks", f.networks);
	json_object_set_new(out, "chains_left", f.chains);
}
