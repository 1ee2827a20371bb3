/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* What a machine says of itself, and of the ports that it tried: any JSON ends in findings that a
 * terminal can show. */
#include "config.h"
#include "err.h"
#include "ports.h"
#include "preflight.h"
#include "strbuf.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		for (const char *texts[] = {f->v[i].text, f->v[i].fix}, **t = texts; t < texts + 2;
		     t++)
			for (const char *p = *t; *p; p++)
				if ((unsigned char)*p < 0x20 || *p == 0x7f)
					abort();
	json_decref(findings_json(f));
}

static void judge(const json_t *facts)
{
	static const struct space need[2] = {{1, 1}, {1, 1}};
	struct cluster_config cfg = {.k8s_version = "v1.37.2"};
	char pods[] = "10.244.0.0/16,fd00:244::/56", services[] = DEFAULT_SERVICE_CIDR;
	struct candidate c[] = {{.name = "a", .facts = facts, .master = true},
	                        {.name = "b", .facts = facts}};
	struct findings f;
	struct err err = {0};
	json_t *list = json_array();

	cfg.pod_cidr = pods;
	cfg.service_cidr = services;
	if (addr_parse(DEFAULT_VIP, 0, "", &cfg.vip, &err) < 0)
		abort();
	preflight(c, 2, &cfg, need, NULL, &f);
	look(&f);
	findings_release(&f);
	for (size_t i = 0; i < 2; i++)
		json_array_append_new(
		    list, json_pack("{s[{ss ss}] sO}", "x", "a", "b", "c", "d", "opened", facts));
	json_decref(ports_reach_args(c, 2, 0, &cfg, list));
	json_array_clear(list);
	json_array_append_new(list, json_pack("{s{s[{si si ss}]} sO}", "args", "targets", "machine",
	                                      1, "port", 6443, "proto", "tcp", "result", facts));
	ports_judge(c, 1, list, &f);
	json_decref(list);
	look(&f);
	findings_release(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *facts = json_loadb((const char *)data, size, 0, NULL);

	if (json_is_object(facts))
		judge(facts);
	json_decref(facts);
	return 0;
}
