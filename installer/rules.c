// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

#include "clear.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "state.h"
#include "strbuf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define CTR       DIR_CURRENT "/bin/ctr"
#define IMAGE     "registry.k8s.io/kube-proxy:"
#define COMMAND_S 60
#define ROOT      DIR_STATE "/netfilter" /* the image, mounted */
#define SCRIPT    "/kubecask-rules"      /* in there */

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
 * Deletions instead of a full restore: a rule that somebody else adds meanwhile stays. Of each
 * table: rules of others that lead to us are deleted one by one (-D), our chains emptied and
 * removed.
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

/* Also what an interrupted run left: the place would be taken. */
static void unmount_image(void)
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S};
	const char *argv[] = {CTR, "-n", "k8s.io", "images", "unmount", "--rm", ROOT, NULL};
	struct err ignored = {0};

	umount2(ROOT "/proc", MNT_DETACH);
	proc_check(argv, &opts, NULL, &ignored);
	rmdir(ROOT);
}

/* To write in: programs keep a lock in /run, and find in /proc what the kernel has. */
static int mount_image(const char *image, struct err *err)
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S};
	const char *argv[] = {CTR, "-n", "k8s.io", "images", "mount", "--rw", image, ROOT, NULL};
	auto_strbuf said = {0};

	unmount_image();
	if (fs_mkdir_p(ROOT, 0700, err) < 0 || proc_check(argv, &opts, &said, err) < 0 ||
	    fs_mkdir_p(ROOT "/proc", 0755, err) < 0 || fs_mkdir_p(ROOT "/run", 0755, err) < 0)
		return -1;
	if (mount("/proc", ROOT "/proc", NULL, MS_BIND, NULL) < 0)
		return err_set(err, "%s: %s", ROOT "/proc", strerror(errno));
	return 0;
}

/* Runs one program of the image in this machine's network. */
static int in_image(const char *const program[], struct strbuf *out, struct err *err)
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S};
	auto_strlist argv = {0};

	strlist_add(&argv, "chroot");
	strlist_add(&argv, ROOT);
	for (; *program; program++)
		strlist_add(&argv, *program);
	return proc_check((const char *const *)argv.v, &opts, out, err);
}

static int write_script(const struct strbuf *text, struct err *err)
{
	return fs_write_atomic(ROOT SCRIPT, strbuf_str(text), text->len, 0600, err);
}

/* The image's iptables over nf_tables and over ip_tables; one kernel may have rules in both. */
#define NETFILTER "/usr/local/lib/netfilter"

static int save(const char *variant, const char *family, struct strbuf *out, struct err *err)
{
	auto_free char *program = xasprintf(NETFILTER "/%s/%s-save", variant, family);
	const char *argv[] = {program, NULL};

	return in_image(argv, out, err);
}

#define RULES "packet filter rules"

static void stay(struct clear_report *r, const char *how, const char *family, const struct err *err)
{
	auto_free char *what = xasprintf(RULES " (%s, %s)", family, how);

	journal("reset: %s stay: %s", what, err->msg);
	clear_failed(r, what, "they stay until the machine is started again: %s", err->msg);
}

static void filter(const char *variant, const char *family, struct clear_report *r)
{
	auto_free char *program = xasprintf(NETFILTER "/%s/%s-restore", variant, family);
	const char *argv[] = {program, "--noflush", SCRIPT, NULL};
	auto_strbuf saved = {0}, script = {0}, said = {0};
	struct err err = {0};

	if (save(variant, family, &saved, &err) < 0) {
		stay(r, variant, family, &err);
		return;
	}
	rules_filter(strbuf_str(&saved), &script);
	if (script.len && (write_script(&script, &err) < 0 || in_image(argv, &said, &err) < 0))
		stay(r, variant, family, &err);
}

/*
 * iptables over nf_tables makes its tables when it is first used, and leaves them when they are
 * empty; kube-proxy, flannel and the CNI plugin portmap have one of their own where they use
 * nftables. All of a family go in one run; "add" first, since "delete" refuses what is not there.
 */
static void delete_tables(const char *iptables, const char *family, struct clear_report *r)
{
	const char *argv[] = {"/usr/sbin/nft", "-f", SCRIPT, NULL};
	auto_strbuf saved = {0}, script = {0}, said = {0};
	auto_strlist tables = {0};
	struct err err = {0};

	if (save("nft", iptables, &saved, &err) == 0) /* or filter() has said why not */
		rules_empty_tables(strbuf_str(&saved), &tables);
	strlist_add(&tables, "kube-proxy");
	strlist_add(&tables, strcmp(family, "ip") == 0 ? "flannel-ipv4" : "flannel-ipv6");
	strlist_add(&tables, "cni_hostport");
	for (size_t i = 0; i < tables.n; i++)
		strbuf_addf(&script, "add table %s %s\ndelete table %s %s\n", family, tables.v[i],
		            family, tables.v[i]);
	if (write_script(&script, &err) < 0 || in_image(argv, &said, &err) < 0)
		stay(r, "nftables", family, &err);
}

void rules_empty_tables(const char *saved, struct strlist *out)
{
	auto_free char *copy = xstrdup(saved);
	char *next = copy, *line, *table = NULL;
	bool empty = false;

	while ((line = strsep(&next, "\n"))) {
		if (*line == '*') {
			table = line + 1;
			empty = true;
		} else if (strncmp(line, "-A", 2) == 0 ||
		           (*line == ':' && !strstr(line, " ACCEPT"))) {
			empty = false; /* a rule, a chain of somebody's, or a policy that means
			                  something */
		} else if (strcmp(line, "COMMIT") == 0 && table && empty) {
			strlist_add(out, table);
		}
	}
}

/* Whether this kernel has made tables of ip_tables, which it does when they are first used. */
static bool has_legacy(const char *names)
{
	auto_strbuf text = {0};
	struct err ignored = {0};

	return fs_read(names, 4096, &text, &ignored) == 0 && text.len > 0;
}

/* ---- sets of addresses and ports (kube-proxy in its ipvs mode) ---- */

void rules_sets(const char *saved, struct strlist *names, struct strlist *ports)
{
	auto_free char *copy = xstrdup(saved);
	char *next = copy, *line;

	while ((line = strsep(&next, "\n"))) {
		char name[64], member[64];

		if (sscanf(line, "create %63s", name) == 1 && strncmp(name, "KUBE-", 5) == 0)
			strlist_add(names, name);
		else if (sscanf(line, "add %63s %63s", name, member) == 2 &&
		         strncmp(name, "KUBE-NODE-PORT-", 15) == 0)
			strlist_add(ports, member);
	}
}

/* After the rules that refer to them. ports: what node ports there were. */
static void remove_sets(struct strlist *ports, struct clear_report *r)
{
	const char *list[] = {"/usr/sbin/ipset", "save", NULL};
	auto_strbuf saved = {0};
	auto_strlist names = {0};
	struct err err = {0};

	if (!fs_exists("/sys/module/ip_set")) /* never loaded: there are none */
		return;
	if (in_image(list, &saved, &err) < 0) {
		clear_failed(r, "sets of addresses (ipset)", "%s", err.msg);
		return;
	}
	rules_sets(strbuf_str(&saved), &names, ports);
	for (size_t i = 0; i < names.n; i++) {
		const char *argv[] = {"/usr/sbin/ipset", "destroy", names.v[i], NULL};
		auto_free char *what = xasprintf("ipset %s", names.v[i]);
		auto_strbuf said = {0};
		struct err why = {0};

		if (in_image(argv, &said, &why) < 0)
			clear_failed(r, what, "%s", why.msg);
	}
}

void rules_remove(struct strlist *ports, struct clear_report *r)
{
	auto_free char *image = find_image();
	struct err err = {0};

	if (!image) {
		err_set(&err,
		        "the kube-proxy image, whose programs remove them, is not in containerd");
		stay(r, "all", "all families", &err);
		return;
	}
	if (mount_image(image, &err) < 0) {
		stay(r, "all", "all families", &err);
	} else {
		filter("nft", "iptables", r);
		filter("nft", "ip6tables", r);
		if (has_legacy("/proc/net/ip_tables_names"))
			filter("legacy", "iptables", r);
		if (has_legacy("/proc/net/ip6_tables_names"))
			filter("legacy", "ip6tables", r);
		delete_tables("iptables", "ip", r);
		delete_tables("ip6tables", "ip6", r);
		remove_sets(ports, r);
	}
	unmount_image();
}
