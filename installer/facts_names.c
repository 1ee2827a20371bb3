// SPDX-License-Identifier: Apache-2.0
/* Name servers as pods would get them, and proxy variables. */
#include "err.h"
#include "facts.h"
#include "fs.h"
#include "mem.h"
#include "net.h"
#include "strbuf.h"

#include <string.h>

#define RESOLV   "/etc/resolv.conf"
#define RESOLVED "/run/systemd/resolve/resolv.conf"

/* ---- name servers ---- */

struct resolv {
	json_t *all;  /* as written */
	bool outside; /* one of them is not on this machine's loopback */
};

/* Nothing answers there in a pod's network. */
static bool on_loopback(const struct addr *a)
{
	static const uint8_t zero[16], one[16] = {[15] = 1};

	if (a->family == AF_INET)
		return a->bytes[0] == 127 || a->bytes[0] == 0;
	return memcmp(a->bytes, zero, 16) == 0 || memcmp(a->bytes, one, 16) == 0;
}

static void add_nameserver(void *ctx, char *line)
{
	struct resolv *r = ctx;
	struct addr a;
	struct err ignored = {0};
	char *word;

	line += strspn(line, " \t");
	if (strncmp(line, "nameserver", 10) != 0 || !strchr(" \t", line[10]) || !line[10])
		return;
	word = line + 10 + strspn(line + 10, " \t");
	word[strcspn(word, " \t\r%")] = '\0'; /* "%eth0": the zone of a link-local address */
	facts_add(r->all, word);
	if (addr_parse(word, 0, "", &a, &ignored) == 0 && !on_loopback(&a))
		r->outside = true;
}

/*
 * What CoreDNS would forward to: kubeadm gives kubelet systemd-resolved's own list as soon as that
 * service is active, else kubelet takes /etc/resolv.conf. A server on the loopback is CoreDNS
 * itself there (it ends: "loop"), and with none it does not start.
 */
static void add_nameservers(json_t *out)
{
	bool resolved = facts_unit_active("systemd-resolved");
	const char *file = resolved ? RESOLVED : RESOLV;
	struct resolv r = {.all = json_array()};

	facts_each_line(file, add_nameserver, &r);
	json_object_set_new(out, "nameserver", json_boolean(r.outside));
	json_object_set_new(out, "nameservers", r.all);
	facts_string(out, "resolv_conf", file);
}

/* ---- proxies ---- */

struct proxies {
	json_t *found;
	struct strbuf no_proxy;
	const char *file;
};

static const char *variable(const char *line, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = line; (p = strcasestr(p, name)); p += len)
		if (p[len] == '=' && (p == line || strchr(" \t\"'=", p[-1])))
			return p + len + 1;
	return NULL;
}

/* The line without what stands between :// and @. */
static char *without_password(const char *line)
{
	const char *scheme = strstr(line, "://");
	const char *at = scheme ? strchr(scheme, '@') : NULL;

	if (!at || strcspn(scheme + 3, " \t\"'") < (size_t)(at - scheme - 3))
		return xstrdup(line);
	return xasprintf("%.*s***%s", (int)(scheme + 3 - line), line, at);
}

static void match_proxy(void *ctx, char *line)
{
	static const char *const names[] = {"https_proxy", "http_proxy", "all_proxy"};
	struct proxies *p = ctx;
	const char *none;

	line += strspn(line, " \t");
	if (*line == '#')
		return;
	none = variable(line, "no_proxy");
	if (none) {
		none += *none == '"' || *none == '\'';
		strbuf_addf(&p->no_proxy, ",%.*s", (int)strcspn(none, " \t\"';"), none);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = variable(line, names[i]);

		if (value && value[strspn(value, "\"'")] &&
		    !strchr(" \t;", value[strspn(value, "\"'")])) {
			auto_free char *shown = without_password(line);
			auto_free char *text = xasprintf("%s: %s", p->file, shown);

			facts_add(p->found, text);
			return;
		}
	}
}

static void proxies_of(struct proxies *p, const char *file)
{
	p->file = file;
	facts_each_line(file, match_proxy, p);
}

static void proxies_below(struct proxies *p, const char *dir)
{
	auto_strlist names = {0};
	struct err ignored = {0};

	if (fs_list(dir, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf("%s/%s", dir, names.v[i]);

		proxies_of(p, path);
	}
}

void facts_names(json_t *out)
{
	static const char *const files[] = {
	    "/etc/environment", "/etc/profile",        "/etc/bash.bashrc",        "/root/.bashrc",
	    "/root/.profile",   "/root/.bash_profile", "/etc/systemd/system.conf"};
	struct proxies p = {.found = json_array()};

	add_nameservers(out);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		proxies_of(&p, files[i]);
	proxies_below(&p, "/etc/profile.d");
	proxies_below(&p, "/etc/systemd/system.conf.d");
	json_object_set_new(out, "proxies", p.found);
	facts_string(out, "no_proxy", strbuf_str(&p.no_proxy));
	strbuf_release(&p.no_proxy);
}
