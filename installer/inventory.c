// SPDX-License-Identifier: Apache-2.0
#include "inventory.h"

#include "err.h"
#include "fs.h"
#include "host.h"
#include "mem.h"
#include "strbuf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES   (1u << 20)
#define NAME_BYTES   63 /* a label's name or value, one part of a host name */
#define PREFIX_BYTES 253

/* ---- what Kubernetes takes ---- */

/* Letters, digits and the characters in middle, which stand neither first nor last. */
static bool plain(const char *s, size_t len, const char *middle, size_t max, bool lower)
{
	if (len == 0 || len > max)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (isalnum(c) && !(lower && isupper(c)))
			continue;
		if (!c || !strchr(middle, c) || i == 0 || i == len - 1)
			return false;
	}
	return true;
}

/* RFC 1123, as the name of a node has to be: parts of lower-case letters, digits and dashes. */
static bool dns_name(const char *s, size_t len)
{
	if (len > PREFIX_BYTES)
		return false;
	for (;;) {
		const char *dot = memchr(s, '.', len);
		size_t part = dot ? (size_t)(dot - s) : len;

		if (!plain(s, part, "-", NAME_BYTES, true))
			return false;
		if (!dot)
			return true;
		s += part + 1;
		len -= part + 1;
	}
}

/* "[PREFIX/]NAME" */
static bool qualified(const char *s, size_t len)
{
	const char *slash = memchr(s, '/', len);
	size_t prefix = slash ? (size_t)(slash - s) : 0;

	if (slash && !dns_name(s, prefix))
		return false;
	s += slash ? prefix + 1 : 0;
	len -= slash ? prefix + 1 : 0;
	return plain(s, len, "-_.", NAME_BYTES, false);
}

static bool ends_with(const char *s, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && memcmp(s + len - n, end, n) == 0 && (len == n || s[len - n - 1] == '.');
}

/* Labels of Kubernetes' own that a kubelet may not give itself: it ends at its start, or the API
 * server refuses them (NodeRestriction). */
static bool reserved(const char *s, size_t len)
{
	static const char *const good[] = {
	    "kubernetes.io/hostname",
	    "kubernetes.io/arch",
	    "kubernetes.io/os",
	    "beta.kubernetes.io/arch",
	    "beta.kubernetes.io/os",
	    "beta.kubernetes.io/instance-type",
	    "topology.kubernetes.io/region",
	    "topology.kubernetes.io/zone",
	    "failure-domain.beta.kubernetes.io/region",
	    "failure-domain.beta.kubernetes.io/zone",
	};
	const char *slash = memchr(s, '/', len);
	size_t prefix = slash ? (size_t)(slash - s) : 0;

	if (!ends_with(s, prefix, "kubernetes.io") && !ends_with(s, prefix, "k8s.io"))
		return false;
	if (ends_with(s, prefix, "kubelet.kubernetes.io") ||
	    ends_with(s, prefix, "node.kubernetes.io"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (len == strlen(good[i]) && memcmp(s, good[i], len) == 0)
			return false;
	return true;
}

/* "a=b": what is wrong with it, or NULL. */
static const char *label_fault(const char *s)
{
	const char *equals = strchr(s, '=');

	if (!equals || !qualified(s, (size_t)(equals - s)))
		return "is no label (KEY=VALUE)";
	if (equals[1] && !plain(equals + 1, strlen(equals + 1), "-_.", NAME_BYTES, false))
		return "has no value that a label can have";
	if (reserved(s, (size_t)(equals - s)))
		return "is a label that a node may not give itself; use kubectl label afterwards";
	return NULL;
}

/* "k=v:NoSchedule" or "k:NoSchedule" */
static const char *taint_fault(const char *s)
{
	const char *colon = strrchr(s, ':'), *equals = strchr(s, '=');
	const char *key_end = equals && equals < colon ? equals : colon;

	if (!colon ||
	    (strcmp(colon + 1, "NoSchedule") != 0 && strcmp(colon + 1, "PreferNoSchedule") != 0 &&
	     strcmp(colon + 1, "NoExecute") != 0))
		return "has no effect (NoSchedule, PreferNoSchedule or NoExecute behind a colon)";
	if (!qualified(s, (size_t)(key_end - s)))
		return "is no taint (KEY[=VALUE]:EFFECT)";
	if (key_end == equals && equals + 1 < colon &&
	    !plain(equals + 1, (size_t)(colon - equals - 1), "-_.", NAME_BYTES, false))
		return "has no value that a taint can have";
	return NULL;
}

/* ---- the file ---- */

struct place {
	const char *file;
	int line;
};

static int fault(const struct place *p, struct err *err, const char *what, const char *why)
{
	return err_set_code(err, EXIT_USAGE, "%s:%d: \"%s\" %s", p->file, p->line, what, why);
}

static int copy(char *to, size_t size, const char *value, const char *word, const struct place *p,
                struct err *err)
{
	if (*to)
		return fault(p, err, word, "is said twice for this machine");
	if (!*value || strlen(value) >= size)
		return fault(p, err, word, *value ? "is too long" : "has no value");
	strcpy(to, value);
	return 0;
}

static int set_list(char *to, size_t size, const char *value, const char *word,
                    const char *(*find_fault)(const char *one), const struct place *p,
                    struct err *err)
{
	auto_free char *list = xstrdup(value);
	char *next = list, *one;

	while ((one = strsep(&next, ","))) {
		const char *why = find_fault(one);

		if (why)
			return fault(p, err, one, why);
	}
	return copy(to, size, value, word, p, err);
}

static int set_port(uint16_t *port, const char *value, const char *word, const struct place *p,
                    struct err *err)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*port)
		return fault(p, err, word, "is said twice for this machine");
	if (!isdigit((unsigned char)*value) || *end || n < 1 || n > UINT16_MAX)
		return fault(p, err, word, "is no port between 1 and 65535");
	*port = (uint16_t)n;
	return 0;
}

static int set_word(struct host *h, uint16_t *port, char *word, const struct place *p,
                    struct err *err)
{
	auto_free char *key = xstrndup(word, strcspn(word, "="));
	const char *value = strchr(word, '=');

	if (!value)
		return fault(p, err, word, "is not of the form KEY=VALUE");
	value++;
	if (strcmp(key, "port") == 0)
		return set_port(port, value, word, p, err);
	if (strcmp(key, "user") == 0)
		return copy(h->user, sizeof(h->user), value, word, p, err);
	if (strcmp(key, "name") == 0 && !dns_name(value, strlen(value)))
		return fault(p, err, value,
		             "is no name for a node: lower-case letters, digits, \"-\" and \".\"");
	if (strcmp(key, "name") == 0)
		return copy(h->node_name, sizeof(h->node_name), value, word, p, err);
	if (strcmp(key, "labels") == 0)
		return set_list(h->labels, sizeof(h->labels), value, word, label_fault, p, err);
	if (strcmp(key, "taints") == 0 && strcmp(value, "-") == 0)
		return copy(h->taints, sizeof(h->taints), value, word, p, err);
	if (strcmp(key, "taints") == 0)
		return set_list(h->taints, sizeof(h->taints), value, word, taint_fault, p, err);
	return fault(p, err, key, "is not known (port, user, name, labels, taints)");
}

static char *next_word(char **line)
{
	char *word = *line + strspn(*line, " \t");

	*line = word + strcspn(word, " \t");
	if (**line)
		*(*line)++ = '\0';
	return *word && *word != '#' ? word : NULL;
}

static int check_names(const struct hostlist *l, const struct place *p, struct err *err)
{
	const struct host *last = &l->v[l->n - 1];

	for (size_t i = 0; *last->node_name && i + 1 < l->n; i++)
		if (strcmp(l->v[i].node_name, last->node_name) == 0)
			return fault(p, err, last->node_name, "is the name of two machines");
	return 0;
}

static int parse_line(struct hostlist *l, char *line, const struct place *p, struct err *err)
{
	auto_free char *what = xasprintf("%s:%d", p->file, p->line);
	char *role = next_word(&line), *address, *word;
	struct host h = {0};
	uint16_t port = 0;

	if (!role)
		return 0;
	h.master = strcmp(role, "master") == 0;
	if (!h.master && strcmp(role, "node") != 0)
		return fault(p, err, role, "is no role (master or node)");
	address = next_word(&line);
	if (!address)
		return fault(p, err, role, "needs an address behind it");
	while ((word = next_word(&line)))
		if (set_word(&h, &port, word, p, err) < 0)
			return -1;
	if (*h.user && strchr(address, '@'))
		return fault(p, err, address, "and user= both name a user");
	if (hostlist_add_like(l, address, port, &h, what, err) < 0)
		return strncmp(err->msg, what, strlen(what)) == 0 ? -1 : err_wrap(err, "%s", what);
	return check_names(l, p, err);
}

int inventory_parse(const char *text, size_t len, const char *name, struct hostlist *l,
                    struct err *err)
{
	auto_free char *all = xstrndup(text, len);
	char *next = all, *line;
	struct place p = {.file = name};

	while ((line = strsep(&next, "\n"))) {
		size_t n = strlen(line);

		p.line++;
		while (n && (line[n - 1] == '\r' || line[n - 1] == ' '))
			line[--n] = '\0';
		if (parse_line(l, line, &p, err) < 0)
			return -1;
	}
	if (!l->n)
		return err_set_code(err, EXIT_USAGE, "%s: no machine in it", name);
	return 0;
}

int inventory_read(const char *file, struct hostlist *l, struct err *err)
{
	auto_strbuf text = {0};

	if (strcmp(file, "-") == 0)
		return err_set_code(err, EXIT_USAGE, "--hosts -: stdin is not read, name a file");
	if (fs_read(file, FILE_BYTES, &text, err) < 0) {
		err->code = EXIT_USAGE;
		return err_wrap(err, "--hosts");
	}
	return inventory_parse(strbuf_str(&text), text.len, file, l, err);
}
