// SPDX-License-Identifier: Apache-2.0
/*
 * What ssh_config(5) files say about one host. The lines are gone through once, from the first to
 * the last; a Host or Match line decides whether those behind it apply; the first value of a word
 * counts, and IdentityFile and CertificateFile collect all of theirs.
 */
#include "sshconf.h"

#include "err.h"
#include "mem.h"
#include "sshwords.h"

#include <assert.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SSH_PORT  22
#define DEPTH_MAX 32

/* What was found so far. Values are borrowed from the lines. */
struct state {
	const struct sshconf_query *q;
	bool address_only; /* refuse nothing */
	const struct sshconf_line *first[W_FOLLOWED];
	bool refused_seen[SSH_REFUSED_MAX];
	struct strlist identities, certificates;
};

static int at(const struct sshconf_line *l, struct err *err, const char *why)
{
	return err_set_code(err, EXIT_USAGE, "%s:%d: %s: %s", l->file, l->line, l->word, why);
}

/* ---- which lines apply ---- */

static bool matches(const char *pattern, const char *s)
{
	auto_strbuf escaped = {0};

	strbuf_addstr(&escaped, "");
	for (; *pattern; pattern++) { /* only * and ? are special in ssh */
		if (strchr("[]\\", *pattern))
			strbuf_addch(&escaped, '\\');
		strbuf_addch(&escaped, *pattern);
	}
	return fnmatch(strbuf_str(&escaped), s, FNM_CASEFOLD) == 0;
}

static bool host_applies(const struct strlist *patterns, const char *name)
{
	bool yes = false;

	for (size_t i = 0; i < patterns->n; i++) {
		const char *p = patterns->v[i];

		if (*p == '!' && matches(p + 1, name))
			return false;
		yes |= *p != '!' && matches(p, name);
	}
	return yes;
}

/* A list with commas, as Match has them. */
static bool list_applies(const char *list, const char *s)
{
	auto_free char *copy = xstrdup(list);
	char *next = copy, *one;
	struct strlist patterns = {0};
	bool yes;

	while ((one = strsep(&next, ",")))
		strlist_add(&patterns, one);
	yes = host_applies(&patterns, s);
	strlist_release(&patterns);
	return yes;
}

static const char *value(const struct state *st, enum ssh_word w)
{
	return st->first[w] ? st->first[w]->args.v[0] : NULL;
}

static const char *user_so_far(const struct state *st)
{
	return st->q->user         ? st->q->user
	       : value(st, W_USER) ? value(st, W_USER)
	                           : st->q->default_user;
}

/* 1, 0, or -1: a criterion that is not understood decides. */
static int match_applies(const struct state *st, const struct sshconf_line *l, struct err *err)
{
	for (size_t i = 0; i < l->args.n; i++) {
		const char *word = l->args.v[i] + (*l->args.v[i] == '!'), *arg;
		bool negated = *l->args.v[i] == '!', yes;

		if (strcasecmp(word, "all") == 0) {
			if (negated)
				return 0;
			continue;
		}
		if (i + 1 >= l->args.n)
			return at(l, err,
			          "a criterion without a value, or one that is not "
			          "followed here");
		arg = l->args.v[++i];
		if (strcasecmp(word, "host") == 0)
			yes = list_applies(arg, value(st, W_HOSTNAME) ? value(st, W_HOSTNAME)
			                                              : st->q->name);
		else if (strcasecmp(word, "originalhost") == 0)
			yes = list_applies(arg, st->q->name);
		else if (strcasecmp(word, "user") == 0)
			yes = list_applies(arg, user_so_far(st));
		else if (strcasecmp(word, "localuser") == 0) {
			auto_free char *me = ssh_local_user();

			yes = list_applies(arg, me);
		} else {
			auto_free char *why = xasprintf(
			    "the criterion \"%s\" is not followed here "
			    "(host, originalhost, user, localuser and all "
			    "are)",
			    word);

			return at(l, err, why);
		}
		if (yes == negated)
			return 0;
	}
	return 1;
}

/* ---- one line ---- */

static int refuse(struct state *st, const struct sshconf_line *l, int w, struct err *err)
{
	bool *seen = &st->refused_seen[w - W_REFUSED], first = !*seen;

	*seen = true;
	if (!first || ssh_word_harmless(w, l->args.v[0]))
		return 0;
	return at(
	    l, err,
	    "it would change the connection and is not followed by this program: remove it for "
	    "this host, or name another file with --ssh-config");
}

static int take(struct state *st, const struct sshconf_line *l, struct err *err)
{
	int w = ssh_word(l->word);
	const char *unknown = value(st, W_IGNOREUNKNOWN);

	if (w >= W_FOLLOWED && st->address_only)
		return 0;
	if (w >= W_REFUSED)
		return refuse(st, l, w, err);
	if (w == W_UNKNOWN && !(unknown && list_applies(unknown, l->word)))
		return at(l, err, "this word is not known here");
	if (w >= W_FOLLOWED)
		return 0;
	if (w == W_IDENTITYFILE || w == W_CERTIFICATEFILE)
		strlist_add(w == W_IDENTITYFILE ? &st->identities : &st->certificates,
		            l->args.v[0]);
	/* of these two the first one counts, whichever it is */
	if ((w == W_PROXYCOMMAND && st->first[W_PROXYJUMP]) ||
	    (w == W_PROXYJUMP && st->first[W_PROXYCOMMAND]))
		return 0;
	if (!st->first[w])
		st->first[w] = l;
	return 0;
}

static int evaluate(struct state *st, const struct sshconf *c, struct err *err)
{
	const struct sshconf_line *v;
	size_t n = sshconf_lines(c, &v);
	bool active = true, outer[DEPTH_MAX];
	bool never[DEPTH_MAX] = {false}; /* the Include itself does not apply */
	size_t depth = 0;

	for (size_t i = 0; i < n; i++) {
		const struct sshconf_line *l = &v[i];

		if (l->kind == SSHCONF_BEGIN) {
			active = true;
		} else if (l->kind == SSHCONF_ENTER) {
			assert(depth < DEPTH_MAX - 1); /* sshconf.c goes 16 deep */
			outer[depth] = active;
			never[depth + 1] = !active;
			depth++;
		} else if (l->kind == SSHCONF_LEAVE) {
			assert(depth > 0);
			active = outer[--depth];
		} else if (never[depth]) {
			continue;
		} else if (strcmp(l->word, "host") == 0) {
			active = host_applies(&l->args, st->q->name);
		} else if (strcmp(l->word, "match") == 0) {
			struct err mine = {0};
			int yes = match_applies(st, l, &mine);

			if (yes < 0 && !st->address_only) {
				*err = mine;
				return -1;
			}
			active = yes == 1;
		} else if (active && take(st, l, err) < 0) {
			return -1;
		}
	}
	return 0;
}

/* ---- values ---- */

static int yes_no(const struct state *st, enum ssh_word w, bool otherwise, bool *out,
                  struct err *err)
{
	const char *s = value(st, w);

	*out = otherwise;
	if (!s)
		return 0;
	if (strcasecmp(s, "yes") == 0 || strcasecmp(s, "true") == 0)
		*out = true;
	else if (strcasecmp(s, "no") == 0 || strcasecmp(s, "false") == 0)
		*out = false;
	else
		return at(st->first[w], err, "neither yes nor no");
	return 0;
}

static void add_token(struct strbuf *out, const struct ssh_login *l, char token)
{
	auto_free char *me = NULL;
	char host[256] = "";

	switch (token) {
	case 'h':
		strbuf_addstr(out, l->hostname);
		break;
	case 'n':
		strbuf_addstr(out, l->name);
		break;
	case 'p':
		strbuf_addf(out, "%u", l->port);
		break;
	case 'r':
		strbuf_addstr(out, l->user);
		break;
	case 'd':
		strbuf_addstr(out, ssh_home() ? ssh_home() : "");
		break;
	case 'i':
		strbuf_addf(out, "%u", getuid());
		break;
	case 'k':
		strbuf_addstr(out, l->host_key_alias ? l->host_key_alias : l->name);
		break;
	case 'u':
		me = ssh_local_user();
		strbuf_addstr(out, me);
		break;
	case 'l':
	case 'L':
		gethostname(host, sizeof(host) - 1);
		if (token == 'L')
			host[strcspn(host, ".")] = '\0';
		strbuf_addstr(out, host);
		break;
	default:
		strbuf_addch(out, '%');
	}
}

/* ~, %-tokens and ${VARIABLES} of a file name. The caller's. NULL: one that is not known. */
static char *expand(const struct ssh_login *l, const char *s)
{
	auto_strbuf out = {0};

	strbuf_addstr(&out, "");
	if (s[0] == '~' && (s[1] == '/' || !s[1])) {
		if (!ssh_home())
			return NULL;
		strbuf_addstr(&out, ssh_home());
		s++;
	} else if (s[0] == '~') {
		return NULL;
	}
	for (; *s; s++) {
		if (*s == '%') {
			if (!*++s || !strchr("%hnprdikulL", *s))
				return NULL;
			add_token(&out, l, *s);
		} else if (s[0] == '$' && s[1] == '{') {
			size_t len = strcspn(s + 2, "}");
			auto_free char *name = xstrndup(s + 2, len);

			if (s[2 + len] != '}' || !getenv(name))
				return NULL;
			strbuf_addstr(&out, getenv(name));
			s += 2 + len;
		} else {
			strbuf_addch(&out, *s);
		}
	}
	return strbuf_detach(&out);
}

static int add_expanded(struct strlist *to, const struct ssh_login *l, const char *s,
                        struct err *err)
{
	auto_free char *path = NULL;

	if (strcasecmp(s, "none") == 0)
		return 0;
	path = expand(l, s);
	if (!path)
		return err_set_code(err, EXIT_USAGE,
		                    "ssh configuration: \"%s\": ~USER, a %%-token or a ${VARIABLE} "
		                    "that cannot be replaced here",
		                    s);
	if (!strlist_has(to, path))
		strlist_add(to, path);
	return 0;
}

static int known_hosts(const struct state *st, struct ssh_login *out, struct err *err)
{
	const struct sshconf_line *user = st->first[W_USERKNOWNHOSTSFILE];
	const struct sshconf_line *all = st->first[W_GLOBALKNOWNHOSTSFILE];

	out->default_known_hosts = !user;
	for (size_t i = 0; user && i < user->args.n; i++)
		if (add_expanded(&out->known_hosts, out, user->args.v[i], err) < 0)
			return -1;
	if (!user && ssh_home()) {
		strlist_addf(&out->known_hosts, "%s/.ssh/known_hosts", ssh_home());
		strlist_addf(&out->known_hosts, "%s/.ssh/known_hosts2", ssh_home());
	}
	out->user_known_hosts = out->known_hosts.n;
	for (size_t i = 0; all && i < all->args.n; i++)
		if (add_expanded(&out->known_hosts, out, all->args.v[i], err) < 0)
			return -1;
	if (!all) {
		strlist_add(&out->known_hosts, "/etc/ssh/ssh_known_hosts");
		strlist_add(&out->known_hosts, "/etc/ssh/ssh_known_hosts2");
	}
	return 0;
}

static int find_agent(const struct state *st, struct ssh_login *out, struct err *err)
{
	const struct sshconf_line *l = st->first[W_IDENTITYAGENT];
	const char *s = l ? l->args.v[0] : NULL;
	const char *env = "SSH_AUTH_SOCK";

	if (s && strcasecmp(s, "none") == 0)
		return 0;
	if (s && *s == '$' && s[1] != '{')
		env = s + 1;
	else if (s && strcmp(s, "SSH_AUTH_SOCK") != 0) {
		out->agent = expand(out, s);
		return out->agent ? 0
		                  : at(l, err,
		                       "~USER, a %-token or a ${VARIABLE} that cannot be replaced "
		                       "here");
	}
	s = getenv(env);
	if (s && *s)
		out->agent = xstrdup(s);
	return 0;
}

static void port_of(const struct state *st, uint16_t *port)
{
	const char *s = value(st, W_PORT);

	if (s) /* checked when it was read */
		*port = (uint16_t)strtoul(s, NULL, 10);
}

/* HostName with its %h and %%. The caller's. */
static char *hostname_of(const struct state *st)
{
	const char *s = value(st, W_HOSTNAME);
	auto_strbuf out = {0};

	if (!s)
		return xstrdup(st->q->name);
	for (; *s; s++) {
		if (*s == '%' && s[1] == 'h')
			strbuf_addstr(&out, st->q->name), s++;
		else if (*s == '%' && s[1] == '%')
			strbuf_addch(&out, *s++);
		else
			strbuf_addch(&out, *s);
	}
	return out.buf ? strbuf_detach(&out) : xstrdup("");
}

static int proxy(const struct state *st, struct ssh_login *out, struct err *err)
{
	const char *command = value(st, W_PROXYCOMMAND), *jump = value(st, W_PROXYJUMP);

	if (st->q->jump_given)
		return 0;
	if (command && strcasecmp(command, "none") != 0)
		return at(st->first[W_PROXYCOMMAND], err,
		          "no command is run here: use ProxyJump, or --jump");
	if (jump && strcasecmp(jump, "none") != 0)
		out->jump = expand(out, jump);
	if (jump && !out->jump && strcasecmp(jump, "none") != 0)
		return at(st->first[W_PROXYJUMP], err, "a %-token that cannot be replaced here");
	return 0;
}

static int methods(const struct state *st, struct ssh_login *out, struct err *err)
{
	bool key, password, kbdint;

	if (yes_no(st, W_PUBKEYAUTHENTICATION, true, &key, err) < 0) {
		if (strcasecmp(value(st, W_PUBKEYAUTHENTICATION), "unbound") != 0 &&
		    strcasecmp(value(st, W_PUBKEYAUTHENTICATION), "host-bound") != 0)
			return -1;
		key = true;
		*err = (struct err){0};
	}
	if (yes_no(st, W_PASSWORDAUTHENTICATION, true, &password, err) < 0 ||
	    yes_no(st, W_KBDINTERACTIVEAUTHENTICATION, true, &kbdint, err) < 0)
		return -1;
	out->no_publickey = !key;
	out->no_password = !password;
	out->no_kbdint = !kbdint;
	return 0;
}

static int fill(const struct state *st, struct ssh_login *out, struct err *err)
{
	const struct sshconf_query *q = st->q;
	const char *strict = value(st, W_STRICTHOSTKEYCHECKING);

	out->name = xstrdup(q->name);
	out->hostname = hostname_of(st);
	out->port = q->port ? q->port : SSH_PORT;
	if (!q->port)
		port_of(st, &out->port);
	out->user = xstrdup(user_so_far(st));
	if (value(st, W_HOSTKEYALIAS))
		out->host_key_alias = xstrdup(value(st, W_HOSTKEYALIAS));
	out->accept_new = strict && strcasecmp(strict, "accept-new") == 0;
	if (yes_no(st, W_IDENTITIESONLY, false, &out->identities_only, err) < 0 ||
	    yes_no(st, W_HASHKNOWNHOSTS, false, &out->hash_known_hosts, err) < 0 ||
	    methods(st, out, err) < 0 || known_hosts(st, out, err) < 0 ||
	    find_agent(st, out, err) < 0 || proxy(st, out, err) < 0)
		return -1;
	for (size_t i = 0; i < st->identities.n; i++)
		if (add_expanded(&out->identities, out, st->identities.v[i], err) < 0)
			return -1;
	for (size_t i = 0; i < st->certificates.n; i++)
		if (add_expanded(&out->certificates, out, st->certificates.v[i], err) < 0)
			return -1;
	out->default_identities = !st->identities.n;
	return 0;
}

int sshconf_lookup(const struct sshconf *c, const struct sshconf_query *q, struct ssh_login *out,
                   struct err *err)
{
	struct state st = {.q = q};
	int rc;

	*out = (struct ssh_login){0};
	rc = evaluate(&st, c, err);
	if (rc == 0)
		rc = fill(&st, out, err);
	strlist_release(&st.identities);
	strlist_release(&st.certificates);
	if (rc < 0)
		ssh_login_release(out);
	return rc;
}

void sshconf_address(const struct sshconf *c, const char *name, char **hostname, uint16_t *port,
                     bool *jumps)
{
	const struct sshconf_query q = {.name = name, .default_user = "root"};
	struct state st = {.q = &q, .address_only = true};
	struct err ignore = {0};
	const char *jump;

	evaluate(&st, c, &ignore);
	*hostname = hostname_of(&st);
	port_of(&st, port);
	jump = value(&st, W_PROXYJUMP);
	if (jump && strcasecmp(jump, "none") != 0)
		*jumps = true;
	strlist_release(&st.identities);
	strlist_release(&st.certificates);
}

void ssh_login_release(struct ssh_login *l)
{
	free(l->name);
	free(l->hostname);
	free(l->user);
	free(l->host_key_alias);
	free(l->agent);
	free(l->jump);
	strlist_release(&l->identities);
	strlist_release(&l->certificates);
	strlist_release(&l->known_hosts);
	*l = (struct ssh_login){0};
}
