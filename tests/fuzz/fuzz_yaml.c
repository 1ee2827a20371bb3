/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* The user's --config file: any text ends in documents that are objects, or in a message; any
 * documents are judged, and completed when nothing was found. */
#include "config.h"
#include "configcheck.h"
#include "err.h"
#include "strbuf.h"
#include "yaml.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(json_t *docs)
{
	const struct node_config n = {
	    .address = "10.0.0.1", .labels = "a=b", .taints = "c:NoSchedule"};
	struct cluster_config c = {.user = docs, .k8s_version = "v1.37.2"};
	auto_strlist findings = {0};
	char pods[] = DEFAULT_POD_CIDR, services[] = DEFAULT_SERVICE_CIDR;
	struct err err = {0};

	c.pod_cidr = pods;
	c.service_cidr = services;
	if (addr_parse(DEFAULT_VIP, 0, "", &c.vip, &err) < 0)
		abort();
	configcheck(&c, 2, 2, &findings);
	if (findings.n)
		return;
	json_decref(config_init_docs(&c, &n));
	json_decref(config_join_docs(&c, &n, "t", "h", "k"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};
	json_t *docs = yaml_documents((const char *)data, size, "fuzz", &err), *d;
	size_t i;

	if (!docs && !err.msg[0])
		abort();
	json_array_foreach (docs, i, d)
		if (!json_is_object(d))
			abort();
	if (docs)
		judge(docs);
	json_decref(docs);
	return 0;
}
