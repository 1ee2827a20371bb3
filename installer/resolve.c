// SPDX-License-Identifier: Apache-2.0
#include "resolve.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "net.h"
#include "proc.h"
#include "strbuf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 253
#define GETENT_S       20 /* two servers that do not answer, 5 s each and tried twice */
#define HOSTS_BYTES    (16u << 20)

bool resolve_is_name(const char *s)
{
	size_t len = strlen(s);
	bool letter = false;

	if (len == 0 || len > NAME_MAX_BYTES || !isalnum((unsigned char)*s))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (!isalnum(c) && c != '-' && c != '.' && c != '_')
			return false;
		letter |= isalpha(c) != 0;
	}
	return letter && s[len - 1] != '-';
}

struct found {
	struct addr one[2]; /* IPv4, IPv6 */
	struct addr other[2];
	struct addr loopback; /* Debian's "127.0.1.1 NAME" says nothing to other machines */
};

bool addr_is_loopback(const struct addr *a)
{
	return a->family == AF_INET ? a->bytes[0] == 127 : IN6_IS_ADDR_LOOPBACK(&a->v6);
}

static void note(struct found *f, const char *text)
{
	struct err ignored = {0};
	struct addr a, *slot;

	if (addr_parse(text, 0, "", &a, &ignored) < 0) /* also link-local ones with a zone */
		return;
	slot = &f->one[a.family == AF_INET6];
	if (addr_is_loopback(&a)) {
		if (!f->loopback.family || a.family == AF_INET)
			f->loopback = a;
	} else if (!slot->family) {
		*slot = a;
	} else if (!addr_same_host(slot, &a)) {
		f->other[a.family == AF_INET6] = a;
	}
}

static bool names(char *rest, const char *name)
{
	char *word;

	while ((word = strsep(&rest, " \t")))
		if (strcasecmp(word, name) == 0)
			return true;
	return false;
}

int resolve_parse(const char *text, const char *name, bool hosts, struct addr *out, struct err *err)
{
	auto_free char *copy = xstrdup(text);
	char *next = copy, *line, a[ADDR_STR_MAX], b[ADDR_STR_MAX];
	const struct addr *take, *second;
	struct found f = {0};

	while ((line = strsep(&next, "\n"))) {
		char *word;

		line[strcspn(line, "#\r")] = '\0';
		line += strspn(line, " \t");
		word = strsep(&line, " \t");
		if (*word && (!hosts || (line && names(line, name))))
			note(&f, word);
	}
	take = f.one[0].family ? &f.one[0] : f.one[1].family ? &f.one[1] : &f.loopback;
	second = &f.other[take->family == AF_INET6];
	if (!take->family)
		return err_set_code(err, EXIT_USAGE, "%s: no address found for this name", name);
	if (take != &f.loopback && second->family)
		return err_set_code(err, EXIT_USAGE,
		                    "%s: the name has several addresses (%s, %s, ...): give the "
		                    "machine's own",
		                    name, addr_host(take, a), addr_host(second, b));
	*out = *take;
	return 0;
}

int resolve_name(const char *name, struct addr *out, struct err *err)
{
	const char *const argv[] = {"getent", "ahosts", name, NULL};
	const struct proc_opts opts = {.timeout_s = GETENT_S};
	auto_strbuf text = {0}, errout = {0};
	struct err none = {0};
	uint16_t port = out->port;
	int status = proc_run(argv, &opts, &text, &errout, &none);
	bool hosts = status < 0 || status == 127;

	if (hosts) {
		strbuf_reset(&text);
		if (fs_read("/etc/hosts", HOSTS_BYTES, &text, &none) < 0)
			strbuf_reset(&text);
	}
	if (resolve_parse(strbuf_str(&text), name, hosts, out, err) < 0)
		return -1;
	out->port = port;
	return 0;
}
