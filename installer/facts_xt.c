// SPDX-License-Identifier: Apache-2.0
/*
 * Rules of ip_tables as the kernel has them (linux/netfilter_ipv4/ip_tables.h): entries one after
 * another, each with its matches and one target; a target ERROR names the user's chain that begins
 * there. Only tables that are loaded are read: asking for another would load its module.
 */
#include "facts.h"
#include "facts_firewall.h"
#include "mem.h"
#include "net.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <string.h>
#include <sys/socket.h>

#define ENTRIES_MAX (16u << 20)
#define DROPPED     (-NF_DROP - 1) /* how a standard target writes it */

struct table {
	struct firewall *f;
	struct ipt_getinfo info;
	const uint8_t *p; /* entries, info.size bytes */
};

/* The target's name; *verdict is that of a standard target (name ""), else 0. */
static void target_of(const struct table *t, size_t at, const struct ipt_entry *e,
                      char name[static XT_EXTENSION_MAXNAMELEN + 1], int *verdict)
{
	struct xt_standard_target s = {0};
	size_t room = e->next_offset - e->target_offset;

	memcpy(&s, t->p + at + e->target_offset, room < sizeof(s) ? room : sizeof(s));
	memcpy(name, s.target.u.user.name, XT_EXTENSION_MAXNAMELEN);
	name[XT_EXTENSION_MAXNAMELEN] = '\0';
	*verdict = *name ? 0 : s.verdict;
}

static void user_chain(const struct table *t, size_t at, const struct ipt_entry *e)
{
	struct xt_error_target s = {0};
	size_t room = e->next_offset - e->target_offset;

	memcpy(&s, t->p + at + e->target_offset, room < sizeof(s) ? room : sizeof(s));
	s.errorname[sizeof(s.errorname) - 1] = '\0';
	firewall_name(t->f, s.errorname);
}

static void note_network(const struct table *t, uint32_t net, uint32_t mask)
{
	struct cidr c = {.addr.family = AF_INET, .bits = (uint8_t)__builtin_popcount(mask)};
	char text[ADDR_STR_MAX];

	c.addr.v4.s_addr = net;
	if (mask)
		facts_add(t->f->networks, cidr_str(&c, text));
}

/* Does the hook at which this entry stands refuse everything from here on? */
static void judge(const struct table *t, size_t at, const struct ipt_entry *e, bool refuses)
{
	static const struct {
		unsigned hook;
		const char *name, *chain;
	} hooks[] = {{NF_INET_LOCAL_IN, "input", "INPUT"}, {NF_INET_FORWARD, "forward", "FORWARD"}};
	static const struct ipt_ip any;
	bool conditional = e->target_offset != sizeof(*e) || memcmp(&e->ip, &any, sizeof(any)) != 0;

	if (!refuses || conditional || strcmp(t->info.name, "filter") != 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		if (at >= t->info.hook_entry[hooks[i].hook] &&
		    at <= t->info.underflow[hooks[i].hook])
			firewall_refusing(
			    t->f, "ip", "filter", hooks[i].chain, hooks[i].name,
			    at == t->info.underflow[hooks[i].hook] ? "policy" : "rule", true);
}

static void walk(const struct table *t)
{
	for (size_t at = 0; at + sizeof(struct ipt_entry) <= t->info.size;) {
		char name[XT_EXTENSION_MAXNAMELEN + 1];
		struct ipt_entry e;
		int verdict;
		bool refuses;

		memcpy(&e, t->p + at, sizeof(e));
		if (e.next_offset < sizeof(e) || e.next_offset > t->info.size - at ||
		    e.target_offset < sizeof(e) || e.target_offset > e.next_offset)
			return;
		target_of(t, at, &e, name, &verdict);
		refuses = verdict == DROPPED || strcmp(name, "REJECT") == 0;
		if (strcmp(name, XT_ERROR_TARGET) == 0)
			user_chain(t, at, &e);
		judge(t, at, &e, refuses);
		if (!refuses) {
			note_network(t, e.ip.src.s_addr, e.ip.smsk.s_addr);
			note_network(t, e.ip.dst.s_addr, e.ip.dmsk.s_addr);
		}
		at += e.next_offset;
	}
}

struct reader {
	struct firewall *f;
	int fd;
};

static void read_table(void *ctx, char *name)
{
	struct reader *r = ctx;
	struct table t = {.f = r->f};
	auto_free struct ipt_get_entries *entries = NULL;
	socklen_t len = sizeof(t.info);

	if (!*name || strlen(name) >= sizeof(t.info.name))
		return;
	strcpy(t.info.name, name);
	if (getsockopt(r->fd, IPPROTO_IP, IPT_SO_GET_INFO, &t.info, &len) < 0 ||
	    t.info.size > ENTRIES_MAX)
		return;
	len = (socklen_t)(sizeof(*entries) + t.info.size);
	entries = xcalloc(1, len);
	strcpy(entries->name, name);
	entries->size = t.info.size;
	if (getsockopt(r->fd, IPPROTO_IP, IPT_SO_GET_ENTRIES, entries, &len) < 0)
		return;
	t.p = (const uint8_t *)entries->entrytable;
	walk(&t);
}

void firewall_legacy(struct firewall *f)
{
	auto_close int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	struct reader r = {f, fd};

	if (fd >= 0)
		facts_each_line("/proc/net/ip_tables_names", read_table, &r);
}
