/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* What a reset reads from others: mounts, etcdctl's and ipset's answers, the kernel's virtual
 * services. */
#include "err.h"
#include "etcd.h"
#include "ipvs.h"
#include "mem.h"
#include "mounts.h"
#include "rules.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void text_parsers(const char *text)
{
	struct mount_places p = {.kubelet = xstrdup("/k"),
	                         .containerd_lib = xstrdup("/c"),
	                         .containerd_run = xstrdup("/r"),
	                         .netns = xstrdup("/n"),
	                         .state = xstrdup("/s")};
	auto_strlist points = {0}, names = {0}, ports = {0};
	json_t *out = json_object();
	struct err err = {0};

	mounts_made(text, &p, &points);
	for (size_t i = 0; i < points.n; i++) /* never the place itself, never elsewhere */
		if (points.v[i][0] != '/' || !strchr("kcrns", points.v[i][1]) ||
		    points.v[i][2] != '/')
			abort();
	etcd_parse_members(text, out, &err);
	etcd_parse_status(text, json_object_get(out, "members"));
	rules_sets(text, &names, &ports);
	for (size_t i = 0; i < names.n; i++)
		if (strncmp(names.v[i], "KUBE-", 5) != 0)
			abort();
	json_decref(out);
	mount_places_release(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = xstrndup((const char *)data, size);
	struct ipvs_service s;

	text_parsers(text);
	if (ipvs_parse_service(data, size, &s) && s.family != 2 && s.family != 10)
		abort();
	return 0;
}
