// SPDX-License-Identifier: Apache-2.0
/* The pod network's manifest, with this cluster's values in the places of the bundle's. */
#include "addons.h"

#include "apiserver.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "net.h"
#include "node.h"
#include "state.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

/* Placeholders in a bundle's manifests (docs/bundle.md), besides ADDONS_NETWORK: */
#define DEFAULT_HOST "\"169.254.97.2\""
#define DEFAULT_PORT "\"6443\""
#define COMMAND_S    120
#define FILE_MAX     (4u << 20)

char *addons_network(const char *pod_cidr, bool nftables, struct err *err)
{
	auto_free char *copy = xstrdup(pod_cidr), *v4 = NULL, *v6 = NULL;
	auto_strbuf out = {0};
	char *next = copy, *one;

	while ((one = strsep(&next, ","))) {
		struct cidr net;
		char **slot;

		if (cidr_parse(one, "the pod network", &net, err) < 0)
			return NULL;
		slot = net.addr.family == AF_INET ? &v4 : &v6;
		if (*slot) {
			err_set(err, "the pod networks %s are of one family", pod_cidr);
			return NULL;
		}
		*slot = xstrdup(one);
	}
	if (v4)
		strbuf_addf(&out, "\"Network\": \"%s\"", v4);
	else
		strbuf_addstr(&out, "\"EnableIPv4\": false");
	if (v6)
		strbuf_addf(&out, ", \"EnableIPv6\": true, \"IPv6Network\": \"%s\"", v6);
	if (nftables)
		strbuf_addstr(&out, ", \"EnableNFTables\": true");
	return strbuf_detach(&out);
}

/* Replaces every occurrence of from in text with to. */
static void replace(struct strbuf *text, const char *from, const char *to)
{
	struct strbuf out = {0};
	const char *p = strbuf_str(text), *hit;

	while ((hit = strstr(p, from))) {
		strbuf_add(&out, p, (size_t)(hit - p));
		strbuf_addstr(&out, to);
		p = hit + strlen(from);
	}
	strbuf_addstr(&out, p);
	strbuf_release(text);
	*text = out;
}

static int fill_manifest(const json_t *args, struct strbuf *text, struct err *err)
{
	const char *cidr = arg_string(args, "pod_cidr", err);
	const char *vip = arg_string(args, "vip", err);
	const char *mode = json_string_value(json_object_get(args, "proxy_mode"));
	auto_free char *network = NULL, *host = NULL, *port = NULL;

	if (!cidr || !vip)
		return -1;
	network = addons_network(cidr, mode && strcmp(mode, "nftables") == 0, err);
	if (!network)
		return -1;
	host = xasprintf("\"%s\"", vip);
	port = xasprintf("\"%lld\"", json_integer_value(json_object_get(args, "port")));
	replace(text, ADDONS_NETWORK, network);
	replace(text, DEFAULT_HOST, host);
	replace(text, DEFAULT_PORT, port);
	return 0;
}

bool addons_due(const json_t *state, const char *index)
{
	return strcmp(json_text(state, "kubeadm"), "init") == 0 &&
	       strcmp(json_text(state, "network"), "flannel") == 0 &&
	       strcmp(json_text(state, "network_index"), index) != 0;
}

char *addons_without_settings(const char *manifest)
{
	static const char separator[] = "\n---\n", kind[] = "\nkind: ConfigMap\n";
	auto_strbuf out = {0};
	const char *p = manifest;

	while (*p) {
		const char *end = strstr(p, separator);
		size_t len = end ? (size_t)(end - p) + 1 : strlen(p);
		auto_free char *doc = xasprintf("\n%.*s", (int)len, p);

		if (!strstr(doc, kind))
			strbuf_addf(&out, "%s%s", out.len ? "---" : "", doc + (out.len ? 0 : 1));
		p += end ? len + strlen(separator) - 1 : len;
	}
	return strbuf_detach(&out);
}

/* What a node remembers of a manifest that was applied. */
static int remember(const char *cni, const json_t *args, const char *manifest, struct err *err)
{
	return state_merge(json_pack("{ss ss* ss*}", "network", cni, "network_index",
	                             json_string_value(json_object_get(args, "index")),
	                             "network_manifest", manifest),
	                   err);
}

int op_addons(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *cni = arg_string(args, "cni", err);
	const char *words[] = {"apply", "-f", "-", NULL};
	auto_free char *path = NULL, *rest = NULL;
	auto_strbuf text = {0};
	struct digest digest;
	json_t *state = NULL;
	bool again, same;

	(void)n;
	if (!cni || strchr(cni, '/'))
		return err_set(err, "protocol: bad network");
	if (strcmp(cni, "none") == 0)
		return remember(cni, args, NULL, err);
	path = xasprintf(DIR_CURRENT "/manifests/%s.yaml", cni);
	if (fs_read(path, FILE_MAX, &text, err) < 0 || fill_manifest(args, &text, err) < 0)
		return -1;
	digest_data(text.buf, text.len, &digest);
	state = state_load();
	again = *json_text(state, "network") != '\0';
	same = again && strcmp(json_text(state, "network_manifest"), digest.str) == 0;
	json_decref(state);
	rest = again ? addons_without_settings(text.buf) : strbuf_detach(&text);
	if (!same && apiserver_as_admin(COMMAND_S, words, rest, NULL, err) < 0)
		return -1;
	json_object_set_new(result, "changed", json_boolean(!same));
	return remember(cni, args, digest.str, err);
}
