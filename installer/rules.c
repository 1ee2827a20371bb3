// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

#include "err.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "state.h"
#include "strbuf.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CTR       DIR_CURRENT "/bin/ctr"
#define IMAGE     "registry.k8s.io/kube-proxy:"
#define COMMAND_S 90

/* Chains that kubelet, kube-proxy, flannel and the CNI plugins portmap and bridge make. */
static bool ours(const char *word)
{
	return strncmp(word, "KUBE-", 5) == 0 || strncmp(word, "FLANNEL-", 8) == 0 ||
	       strncmp(word, "CNI-", 4) == 0;
}

/* A rule in or into one of our chains. */
static bool our_rule(const char *line)
{
	const char *p;

	if (strncmp(line, "-A ", 3) == 0 && ours(line + 3))
		return true;
	for (p = line; (p = strstr(p, " -j ")); p += 4)
		if (ours(p + 4))
			return true;
	for (p = line; (p = strstr(p, " -g ")); p += 4)
		if (ours(p + 4))
			return true;
	return strstr(line, "flanneld masq") || strstr(line, "flanneld forward");
}

/*
 * Deletions instead of a full restore: a rule that somebody else adds meanwhile stays. Of each table:
 * rules of others that lead to us are deleted one by one (-D), our chains emptied and removed.
 */
void rules_filter(const char *saved, struct strbuf *out)
{
	auto_free char *copy = xstrdup(saved);
	auto_strbuf rules = {0}, flush = {0}, drop = {0};
	char *next = copy, *line;
	const char *table = "";

	while ((line = strsep(&next, "\n"))) {
		if (*line == '*') {
			table = line;
		} else if (*line == ':' && ours(line + 1)) {
			int len = (int)strcspn(line + 1, " ");

			strbuf_addf(&flush, "-F %.*s\n", len, line + 1);
			strbuf_addf(&drop, "-X %.*s\n", len, line + 1);
		} else if (strncmp(line, "-A ", 3) == 0 && our_rule(line) && !ours(line + 3)) {
			strbuf_addf(&rules, "-D %s\n", line + 3);
		} else if (strcmp(line, "COMMIT") == 0 && rules.len + flush.len) {
			strbuf_addf(out, "%s\n%s%s%sCOMMIT\n", table, strbuf_str(&rules),
				    strbuf_str(&flush), strbuf_str(&drop));
			strbuf_reset(&rules);
			strbuf_reset(&flush);
			strbuf_reset(&drop);
		}
	}
}

/* The kube-proxy image that containerd has; the caller's, NULL: none. */
static char *find_image(void)
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S};
	const char *argv[] = {CTR, "-n", "k8s.io", "images", "ls", "-q", NULL};
	auto_strbuf out = {0};
	struct err err = {0};
	const char *hit;

	if (proc_check(argv, &opts, &out, &err) < 0)
		return NULL;
	hit = strstr(strbuf_str(&out), IMAGE);
	return hit ? xstrndup(hit, strcspn(hit, "\n")) : NULL;
}

/* Runs one program of the image in this machine's network. */
static int in_image(const char *image, const char *const program[], const struct strbuf *in,
		    struct strbuf *out, struct err *err)
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S, .stdin_data = in ? in->buf : NULL,
				       .stdin_len = in ? in->len : 0};
	const char *rm[] = {CTR, "-n", "k8s.io", "containers", "rm", "kubecask-reset", NULL};
	struct err ignored = {0};
	auto_strlist argv = {0};

	proc_check(rm, &opts, NULL, &ignored); /* of an interrupted run */
	strlist_add(&argv, CTR);
	for (const char *const *w =
		     (const char *const[]){"-n", "k8s.io", "run", "--rm", "--net-host", "--cap-add",
					   "CAP_NET_ADMIN", "--cap-add", "CAP_NET_RAW", NULL};
	     *w; w++)
		strlist_add(&argv, *w);
	strlist_add(&argv, image);
	strlist_add(&argv, "kubecask-reset");
	for (; *program; program++)
		strlist_add(&argv, *program);
	return proc_check((const char *const *)argv.v, &opts, out, err);
}

static void filter_family(const char *image, const char *save, const char *restore)
{
	const char *save_argv[] = {"/usr/local/bin/netfilter-select", save, NULL};
	const char *restore_argv[] = {"/usr/local/bin/netfilter-select", restore, "--noflush", NULL};
	auto_strbuf saved = {0}, script = {0}, said = {0};
	struct err err = {0};

	if (in_image(image, save_argv, NULL, &saved, &err) < 0) {
		journal("reset: %s: %s", save, err.msg);
		return;
	}
	rules_filter(strbuf_str(&saved), &script);
	if (script.len && in_image(image, restore_argv, &script, &said, &err) < 0)
		journal("reset: %s: %s", restore, err.msg);
}

void rules_remove(void)
{
	static const char *const families[] = {"ip", "ip6"};
	auto_free char *image = find_image();
	struct err err = {0};

	if (!image)
		return;
	filter_family(image, "iptables-save", "iptables-restore");
	filter_family(image, "ip6tables-save", "ip6tables-restore");
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		/* kube-proxy in nftables mode; a table that is not there is no failure */
		const char *argv[] = {"/usr/sbin/nft", "delete", "table", families[i], "kube-proxy", NULL};
		auto_strbuf out = {0};

		in_image(image, argv, NULL, &out, &err);
	}
}
