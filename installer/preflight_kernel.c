// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "json.h"
#include "mem.h"
#include "preflight_checks.h"
#include "strbuf.h"

#include <string.h>

void check_modules(const struct candidate *c, struct findings *f)
{
	const char *release = json_text(c->facts, "kernel");
	auto_free char *missing = fact_join(c->facts, "modules_missing", 16);
	auto_free char *disabled = fact_join(c->facts, "modules_disabled", 3);

	if (*disabled)
		finding_add(f, c, "Modprobe", LEVEL_ERROR,
		            "delete that line, then modprobe the module",
		            "a module that is needed must not be loaded: %s", disabled);
	if (!*missing)
		return;
	if (*disabled)
		finding_add(f, c, "Kernel", LEVEL_ERROR, "see Modprobe", "kernel %s cannot load %s",
		            release, missing);
	else
		finding_add(
		    f, c, "Kernel", LEVEL_ERROR,
		    "install the kernel's whole module package (linux-modules-extra-$(uname -r), "
		    "kernel-modules-extra) or another kernel, then reboot if uname -r changes",
		    "kernel %s has no %s", release, missing);
}

/* ---- kube-proxy's mode ---- */

/* What the machine's kernel lacks for the mode; the caller's, "" for nothing. */
static char *lacks(const struct candidate *c, const char *mode)
{
	return fact_join(json_object_get(c->facts, "proxy_missing"), mode, 6);
}

static const struct candidate *who_lacks(const struct candidate *c, size_t n, const char *mode,
                                         char **what)
{
	for (size_t i = 0; i < n; i++) {
		auto_free char *missing = lacks(&c[i], mode);

		if (*missing && candidate_state(&c[i]) != NODE_MEMBER) {
			*what = steal(&missing);
			return &c[i];
		}
	}
	return NULL;
}

static const char *wanted_mode(const struct cluster_config *cfg)
{
	const json_t *doc = config_user_doc(cfg, "KubeProxyConfiguration");
	const char *mode = json_string_value(json_object_get(doc, "mode"));

	return mode && *mode ? mode : NULL;
}

const char *proxy_mode_choose(const struct candidate *c, size_t n, const struct cluster_config *cfg,
                              struct err *err)
{
	const char *user = wanted_mode(cfg);
	auto_free char *why = NULL, *other = NULL;
	const struct candidate *lacking = who_lacks(c, n, user ? user : "iptables", &why);

	if (!lacking)
		return user ? user : "iptables";
	if (!user && !who_lacks(c, n, "nftables", &other))
		return "nftables";
	if (user)
		err_set(err,
		        "%s: mode: %s of KubeProxyConfiguration needs %s, which kernel %s has not",
		        lacking->name, user, why, json_text(lacking->facts, "kernel"));
	else
		err_set(
		    err,
		    "%s: kube-proxy needs %s (or, in nftables mode, %s), which kernel %s has not",
		    lacking->name, why, other, json_text(lacking->facts, "kernel"));
	return NULL;
}

/* For each machine at fault a row of its own. */
void check_proxy_mode(const struct candidate *c, size_t n, const struct cluster_config *cfg,
                      struct findings *f)
{
	const char *user = wanted_mode(cfg), *chosen;
	struct err err = {0};

	chosen = proxy_mode_choose(c, n, cfg, &err);
	if (chosen) {
		if (!user && strcmp(chosen, "nftables") == 0 && n)
			finding_add(
			    f, &c[0], "ProxyMode", LEVEL_INFO, "",
			    "kube-proxy runs in nftables mode: not every kernel here has what "
			    "iptables needs");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *mode = user ? user : "iptables";
		auto_free char *missing = lacks(&c[i], mode);

		if (*missing)
			finding_add(
			    f, &c[i], "ProxyMode", LEVEL_ERROR,
			    user ? "choose another mode in --config, or install the kernel's "
				   "module package (kernel-modules-extra, "
				   "linux-modules-extra-$(uname -r))"
				 : "install the kernel's module package (kernel-modules-extra, "
				   "linux-modules-extra-$(uname -r))",
			    "kube-proxy in %s mode needs %s, which kernel %s has not", mode,
			    missing, json_text(c[i].facts, "kernel"));
	}
}
