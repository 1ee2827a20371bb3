// SPDX-License-Identifier: Apache-2.0
/* Reads ssh_config(5) files into a flat list of lines; sshlogin.c says what they mean for a host.
 */
#include "sshconf.h"

#include "err.h"
#include "fs.h"
#include "mem.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONF_BYTES    (1u << 20)
#define INCLUDES_DEEP 16 /* as ssh */
#define LINES_MAX     100000
#define SYSTEM_CONFIG "/etc/ssh/ssh_config"
#define SYSTEM_DIR    "/etc/ssh"

struct sshconf {
	struct sshconf_line *v;
	size_t n;
	struct strlist files; /* names, for the lines */
};

struct source {
	const char *name; /* in messages */
	const char *dir;  /* relative Includes */
	bool user;        /* the user's own: others must not be able to write it */
	int depth;
};

const char *ssh_home(void)
{
	const char *home = getenv("HOME");

	return home && *home ? home : NULL;
}

char *ssh_local_user(void)
{
	auto_strbuf text = {0};
	struct err ignored = {0};
	const char *env = getenv("USER");
	char *next, *line;

	if (fs_read("/etc/passwd", CONF_BYTES, &text, &ignored) < 0)
		strbuf_reset(&text);
	next = text.buf;
	while ((line = strsep(&next, "\n"))) {
		char *name = strsep(&line, ":"), *uid;

		strsep(&line, ":");
		uid = line ? strsep(&line, ":") : NULL;
		if (uid && *uid && strtoul(uid, NULL, 10) == getuid())
			return xstrdup(name);
	}
	return xstrdup(env && *env ? env : "root");
}

static struct sshconf_line *add_line(struct sshconf *c, enum sshconf_kind kind, const char *file,
                                     int line)
{
	c->v = xreallocarray(c->v, c->n + 1, sizeof(*c->v));
	c->v[c->n] = (struct sshconf_line){.kind = kind, .file = file, .line = line};
	return &c->v[c->n++];
}

/* ---- one line ---- */

/* The next word: "quoted", 'quoted', or up to a blank; a backslash takes a quote, a backslash or a
 * blank as it is; # at its begin ends the line. NULL: no more. -1 in *bad: a quote is left open. */
static char *next_arg(const char **p, bool *bad)
{
	auto_strbuf out = {0};
	const char *s = *p + strspn(*p, " \t");
	char quote = 0;

	if (!*s || *s == '#') {
		*p = s + strlen(s);
		return NULL;
	}
	strbuf_grow(&out, 1);
	for (; *s && (quote || (*s != ' ' && *s != '\t')); s++) {
		if (*s == '\\' && s[1] && strchr(quote ? "\\\"'" : "\\\"' ", s[1]))
			strbuf_addch(&out, *++s);
		else if (quote && *s == quote)
			quote = 0;
		else if (!quote && (*s == '"' || *s == '\''))
			quote = *s;
		else
			strbuf_addch(&out, *s);
	}
	*p = s;
	*bad = quote != 0;
	return out.buf && out.len ? strbuf_detach(&out) : xstrdup("");
}

static int load_file(struct sshconf *c, const char *path, const struct source *src, bool needed,
                     struct err *err);

static char *include_path(const char *arg, const struct source *src)
{
	const char *home = ssh_home();

	if (arg[0] == '~' && arg[1] == '/' && home)
		return xasprintf("%s%s", home, arg + 1);
	return *arg == '/' ? xstrdup(arg) : xasprintf("%s/%s", src->dir, arg);
}

static int include(struct sshconf *c, const struct strlist *args, const struct source *src,
                   const char *file, int line, struct err *err)
{
	int rc = 0;

	if (src->depth + 1 >= INCLUDES_DEEP)
		return err_set_code(err, EXIT_USAGE, "%s:%d: Include: more than %d files deep",
		                    file, line, INCLUDES_DEEP);
	for (size_t i = 0; rc == 0 && i < args->n; i++) {
		auto_free char *pattern = include_path(args->v[i], src);
		struct source inner = *src;
		glob_t g = {0};

		inner.depth++;
		if (glob(pattern, 0, NULL, &g) == 0)
			for (size_t k = 0; rc == 0 && k < g.gl_pathc; k++) {
				inner.name = g.gl_pathv[k];
				add_line(c, SSHCONF_ENTER, file, line);
				rc = load_file(c, g.gl_pathv[k], &inner, false, err);
				add_line(c, SSHCONF_LEAVE, file, line);
			}
		globfree(&g);
	}
	return rc;
}

static bool is_port(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	return isdigit((unsigned char)*s) && !*end && n >= 1 && n <= UINT16_MAX;
}

/* "Word value", "Word=value", "Word = value" */
static int parse_line(struct sshconf *c, const char *text, const struct source *src,
                      const char *file, int line, struct err *err)
{
	size_t len = strcspn(text, " \t=");
	const char *p = text + len + strspn(text + len, " \t");
	auto_strlist args = {0};
	struct sshconf_line *l;
	bool bad = false;
	char *arg;

	if (*p == '=')
		p++;
	while (!bad && (arg = next_arg(&p, &bad))) {
		strlist_add(&args, arg);
		free(arg);
	}
	if (bad || !len)
		return err_set_code(err, EXIT_USAGE, "%s:%d: %s", file, line,
		                    bad ? "a quote is not closed" : "no word before \"=\"");
	if (!args.n)
		return err_set_code(err, EXIT_USAGE, "%s:%d: %.*s: nothing is said behind it", file,
		                    line, (int)len, text);
	if (len == strlen("include") && strncasecmp(text, "include", len) == 0)
		return include(c, &args, src, file, line, err);
	if (c->n >= LINES_MAX)
		return err_set_code(err, EXIT_USAGE, "%s:%d: more than %d lines", file, line,
		                    LINES_MAX);
	if (len == strlen("port") && strncasecmp(text, "port", len) == 0 && !is_port(args.v[0]))
		return err_set_code(err, EXIT_USAGE,
		                    "%s:%d: Port: \"%s\" is no port between 1 and "
		                    "65535",
		                    file, line, args.v[0]);
	l = add_line(c, SSHCONF_WORD, file, line);
	l->word = xstrndup(text, len);
	for (char *w = l->word; *w; w++)
		*w = (char)tolower((unsigned char)*w);
	l->args = args;
	args = (struct strlist){0};
	return 0;
}

static int parse_text(struct sshconf *c, char *text, const struct source *src, struct err *err)
{
	const char *file;
	char *line;
	int n = 0;

	strlist_add(&c->files, src->name);
	file = c->files.v[c->files.n - 1];
	while ((line = strsep(&text, "\n"))) {
		size_t len = strlen(line);

		n++;
		while (len && strchr(" \t\r\f", line[len - 1]))
			line[--len] = '\0';
		line += strspn(line, " \t");
		if (*line && *line != '#' && parse_line(c, line, src, file, n, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- files ---- */

/* As ssh: whoever can write this file decides where the user's connections go. */
static int check_owner(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return 0;
	if ((st.st_uid != 0 && st.st_uid != getuid()) || st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set_code(err, EXIT_USAGE,
		                    "%s: other users can write it, so it is not followed: chmod "
		                    "go-w %s, or --ssh-config none",
		                    path, path);
	return 0;
}

static int load_file(struct sshconf *c, const char *path, const struct source *src, bool needed,
                     struct err *err)
{
	auto_strbuf text = {0};
	struct stat st;

	if (!needed && access(path, F_OK) < 0)
		return 0;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) && !needed)
		return 0;
	if (src->user && check_owner(path, err) < 0)
		return -1;
	if (fs_read(path, CONF_BYTES, &text, err) < 0) {
		err->code = EXIT_USAGE;
		return needed ? err_wrap(err, "--ssh-config") : -1;
	}
	return text.buf ? parse_text(c, text.buf, src, err) : 0;
}

struct sshconf *sshconf_load(const char *file, struct err *err)
{
	struct sshconf *c = xcalloc(1, sizeof(*c));
	const char *home = ssh_home();
	auto_free char *dir = xasprintf("%s/.ssh", home ? home : "");
	auto_free char *own = xasprintf("%s/config", dir);
	struct source user = {.name = file ? file : own, .dir = dir, .user = !file};
	const struct source all = {.name = SYSTEM_CONFIG, .dir = SYSTEM_DIR};
	int rc = 0;

	if (file && strcmp(file, "none") == 0)
		return c;
	if (file) {
		rc = load_file(c, file, &user, true, err);
	} else {
		if (home)
			rc = load_file(c, own, &user, false, err);
		add_line(c, SSHCONF_BEGIN, SYSTEM_CONFIG, 0);
		if (rc == 0)
			rc = load_file(c, SYSTEM_CONFIG, &all, false, err);
	}
	if (rc == 0)
		return c;
	sshconf_free(c);
	return NULL;
}

struct sshconf *sshconf_parse(const char *text, const char *name, const char *dir, struct err *err)
{
	struct sshconf *c = xcalloc(1, sizeof(*c));
	const struct source src = {.name = name, .dir = dir};
	auto_free char *copy = xstrdup(text);

	if (parse_text(c, copy, &src, err) == 0)
		return c;
	sshconf_free(c);
	return NULL;
}

size_t sshconf_lines(const struct sshconf *c, const struct sshconf_line **out)
{
	*out = c ? c->v : NULL;
	return c ? c->n : 0;
}

void sshconf_free(struct sshconf *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].word);
		strlist_release(&c->v[i].args);
	}
	free(c->v);
	strlist_release(&c->files);
	free(c);
}
