// SPDX-License-Identifier: Apache-2.0
#include "masters.h"

#include "err.h"
#include "events.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_MAX   16384      /* bytes of the file */
#define CA_FILE_MAX (1u << 20) /* bytes */

bool addrs_have(const struct addrs *l, const struct addr *a)
{
	for (size_t i = 0; i < l->n; i++)
		if (addr_eq(&l->a[i], a))
			return true;
	return false;
}

bool addrs_add(struct addrs *l, const struct addr *a)
{
	if (addrs_have(l, a))
		return true;
	if (l->n == MASTERS_MAX)
		return false;
	l->a[l->n++] = *a;
	return true;
}

void masters_path(char path[static MASTERS_PATH_MAX], const struct addr *vs)
{
	char host[ADDR_STR_MAX];

	addr_host(vs, host);
	for (char *c = host; *c; c++)
		if (*c == ':')
			*c = '.';
	snprintf(path, MASTERS_PATH_MAX, MASTERS_DIR "/masters-%s-%u", host, vs->port);
}

void masters_init(struct masters *m, const struct addr *vs, const struct addr *seeds, size_t n)
{
	*m = (struct masters){.vs = *vs};
	for (size_t i = 0; i < n; i++)
		addrs_add(&m->seeds, &seeds[i]);
}

/* What was known and is not on the new list, then the former ones that are not either. */
static void move_former(struct masters *m, const struct addrs *list)
{
	struct addrs former = {.n = 0};

	for (size_t i = 0; i < m->known.n; i++)
		if (!addrs_have(list, &m->known.a[i]))
			addrs_add(&former, &m->known.a[i]);
	for (size_t i = 0; i < m->former.n; i++)
		if (!addrs_have(list, &m->former.a[i]))
			addrs_add(&former, &m->former.a[i]);
	m->former = former;
}

static int compare(const void *a, const void *b)
{
	const struct addr *x = a, *y = b;
	int rc = memcmp(x->bytes, y->bytes, addr_len(x));

	return rc ? rc : (int)x->port - (int)y->port;
}

static bool same(const struct addrs *a, const struct addrs *b)
{
	for (size_t i = 0; i < a->n && a->n == b->n; i++)
		if (!addr_eq(&a->a[i], &b->a[i]))
			return false;
	return a->n == b->n;
}

bool masters_learn(struct masters *m, const struct addrs *list)
{
	struct addrs fresh = {.n = 0};

	for (size_t i = 0; i < list->n; i++)
		if (list->a[i].family == m->vs.family && !addr_same_host(&list->a[i], &m->vs))
			addrs_add(&fresh, &list->a[i]);
	if (!fresh.n)
		return false;
	qsort(fresh.a, fresh.n, sizeof(fresh.a[0]), compare);
	if (m->current && same(&fresh, &m->known)) {
		bool other = m->listed.n > 0;

		m->listed.n = 0;
		return other;
	}
	if (same(&fresh, &m->listed))
		return false;
	m->listed = fresh;
	return true;
}

bool masters_reached(struct masters *m, const struct addr *a)
{
	if (!addrs_have(&m->listed, a))
		return false;
	move_former(m, &m->listed);
	m->known = m->listed;
	m->listed.n = 0;
	m->current = true;
	return true;
}

void masters_found(struct masters *m, const struct addr *a)
{
	if (a->family == m->vs.family && !addr_same_host(a, &m->vs) && !addrs_have(&m->known, a) &&
	    !addrs_have(&m->seeds, a))
		addrs_add(&m->former, a);
}

void masters_doubt(struct masters *m)
{
	m->current = false;
}

static void add_all(struct addrs *out, const struct addrs *from)
{
	for (size_t i = 0; i < from->n; i++)
		addrs_add(out, &from->a[i]);
}

void masters_wanted(const struct masters *m, struct addrs *out, size_t *sure)
{
	*out = m->known.n ? m->known : m->seeds;
	*sure = out->n;
	add_all(out, &m->listed);
	if (m->current)
		return;
	add_all(out, &m->seeds);
	add_all(out, &m->former);
	add_all(out, &m->unproven);
}

void masters_untried(const struct masters *m, struct addrs *out)
{
	*out = m->known;
	add_all(out, &m->seeds);
	add_all(out, &m->former);
}

static int bad_line(const char *path, unsigned n, struct err *err)
{
	return err_set(err, "%s: line %u is not one that lvscare writes; not used", path, n);
}

static int parse_line(struct masters *m, char *line, struct marks *marks)
{
	char *value = strchr(line, ' ');
	struct err ignored = {0};
	struct addr a;
	uint64_t mark;
	char *end;

	if (*line == '#' || !*line)
		return 0;
	if (!value)
		return -1;
	*value++ = '\0';
	if (strcmp(line, "ca") == 0) {
		mark = strtoull(value, &end, 16);
		if (*end || end == value || marks->n == MARKS_MAX)
			return -1;
		marks->v[marks->n++] = mark;
		return 0;
	}
	if (addr_parse(value, 0, line, &a, &ignored) < 0 || !a.port)
		return -1;
	if (strcmp(line, "vs") == 0)
		m->vs = a;
	else if (strcmp(line, "master") == 0)
		return addrs_add(&m->known, &a) ? 0 : -1;
	else if (strcmp(line, "former") == 0)
		return addrs_add(&m->former, &a) ? 0 : -1;
	else
		return -1;
	return 0;
}

/* 0 when there is no such file, 1 when it was read. */
static int parse_file(struct masters *m, const char *path, struct marks *marks, struct err *err)
{
	auto_strbuf text = {0};
	char *next, *line;

	*m = (struct masters){0};
	*marks = (struct marks){0};
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (fs_read(path, STATE_MAX, &text, err) < 0)
		return -1;
	next = text.buf;
	for (unsigned n = 1; (line = strsep(&next, "\n")); n++)
		if (parse_line(m, line, marks) < 0)
			return bad_line(path, n, err);
	return 1;
}

static bool any_same(const struct marks *a, const struct marks *b)
{
	for (size_t i = 0; i < a->n; i++)
		for (size_t j = 0; j < b->n; j++)
			if (a->v[i] == b->v[j])
				return true;
	return false;
}

int masters_load(struct masters *m, const char *path, const struct marks *marks, struct err *err)
{
	struct masters got;
	struct marks had;
	int rc = parse_file(&got, path, &had, err);

	if (rc <= 0)
		return rc;
	if (!addr_eq(&got.vs, &m->vs) || !marks->n || !got.known.n)
		return 0;
	for (size_t i = 0; i < got.known.n; i++)
		if (got.known.a[i].family != m->vs.family ||
		    addr_same_host(&got.known.a[i], &m->vs))
			return err_set(err, "%s: a master that cannot be one; not used", path);
	if (!any_same(&had, marks)) {
		m->unproven = got.known;
		add_all(&m->unproven, &got.former);
		return 0;
	}
	m->known = got.known;
	m->former = got.former;
	return 1;
}

static void add_lines(struct strbuf *out, const char *word, const struct addrs *l)
{
	char name[ADDR_STR_MAX];

	for (size_t i = 0; i < l->n; i++)
		strbuf_addf(out, "%s %s\n", word, addr_str(&l->a[i], name));
}

int masters_save(const struct masters *m, const char *path, const struct marks *marks,
                 struct err *err)
{
	auto_strbuf text = {0}, old = {0};
	struct err ignored = {0};
	auto_free char *dir = xstrdup(path);
	char name[ADDR_STR_MAX];
	char *slash = strrchr(dir, '/');

	if (slash && slash != dir) {
		*slash = '\0';
		if (fs_mkdir_p(dir, 0755, err) < 0)
			return -1;
	}
	strbuf_addf(&text,
	            "# the API servers behind this virtual server, as the cluster last said; "
	            "written by lvscare\nvs %s\n",
	            addr_str(&m->vs, name));
	for (size_t i = 0; i < marks->n; i++)
		strbuf_addf(&text, "ca %016" PRIx64 "\n", marks->v[i]);
	add_lines(&text, "master", &m->known);
	add_lines(&text, "former", &m->former);
	if (fs_read(path, STATE_MAX, &old, &ignored) == 0 && old.len == text.len &&
	    memcmp(old.buf, text.buf, text.len) == 0)
		return 0;
	return fs_write_atomic(path, strbuf_str(&text), text.len, 0644, err);
}

int masters_forget(const struct addr *vs, const char *path, struct err *err)
{
	struct masters got;
	struct err ignored = {0};
	struct marks marks;

	if (parse_file(&got, path, &marks, &ignored) > 0 && !addr_eq(&got.vs, vs))
		return 0;
	if (access(path, F_OK) == 0 && unlink(path) < 0)
		return err_set(err, "remove %s: %s", path, strerror(errno));
	if (strncmp(path, MASTERS_DIR "/", strlen(MASTERS_DIR "/")) == 0)
		rmdir(MASTERS_DIR); /* where nothing else is in it */
	return 0;
}

/* FNV-1a of the text of one certificate. */
static uint64_t mark_of(const char *text, size_t len)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)text[i]) * 0x100000001b3;
	return h;
}

void marks_read(struct marks *k, const char *ca_file)
{
	static const char begin[] = "-----BEGIN", end[] = "-----END";
	auto_strbuf pem = {0};
	struct err ignored = {0};
	const char *at;

	*k = (struct marks){0};
	if (fs_read(ca_file, CA_FILE_MAX, &pem, &ignored) < 0)
		return;
	at = strstr(strbuf_str(&pem), begin);
	for (; at && k->n < MARKS_MAX; at = strstr(at, begin)) {
		const char *stop = strstr(at, end);

		if (!stop)
			return;
		k->v[k->n++] = mark_of(at, (size_t)(stop - at));
		at = stop;
	}
}

void masters_start(struct masters *m, const char *state_file, const char *ca_file,
                   struct events *ev)
{
	struct err err = {0};
	struct marks marks;
	int rc;

	if (!state_file)
		return;
	marks_read(&marks, ca_file);
	rc = masters_load(m, state_file, &marks, &err);
	if (rc < 0)
		event(ev, LOG_LVL_WARN, "%s", err.msg);
	else if (rc > 0)
		event(ev, LOG_LVL_INFO, "%s names %zu API servers", state_file, m->known.n);
	else if (m->unproven.n)
		event(ev, LOG_LVL_WARN,
		      "%s is of another certificate authority: its %zu API servers are only tried",
		      state_file, m->unproven.n);
}
