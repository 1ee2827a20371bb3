// SPDX-License-Identifier: Apache-2.0
/*
 * The login (RFC 4252): the methods that the server lists, as long as it lists some, so that logins
 * of several steps work. A server ends the connection after some failures (sshd: MaxAuthTries, 6):
 * what was not tried by then is told apart from what was not accepted.
 */
#include "sshpriv.h"

#include "err.h"
#include "mem.h"
#include "proto.h"
#include "sshkex.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 8
#define MANY_KEYS 4 /* with more of them the password goes first, as it would hardly be tried */
#define SAID_MAX  400

/* UNCLEAR: refused, or accepted as one step of several: judge_failure finds out. */
enum outcome { LOST = -1, REFUSED = 0, DONE = 1, PARTIAL = 2, UNCLEAR = 3 };

struct login {
	struct ssh *s;
	char *methods; /* what the server takes now */
	struct offers offers;
	size_t next;         /* the next offer */
	bool password_tried; /* in this step */
	int attempts;
	size_t agent_refused;  /* keys of the agent that nobody named */
	struct strbuf refused; /* "key A not accepted, password not accepted" */
	struct strbuf passed;  /* steps that were accepted: "key A" */
};

static bool takes(const struct login *l, const char *method)
{
	return kex_has(l->methods, method, strlen(method));
}

static bool takes_password(const struct login *l)
{
	const struct ssh_login *c = &l->s->login;

	return (takes(l, "password") && !c->no_password) ||
	       (takes(l, "keyboard-interactive") && !c->no_kbdint);
}

/* ---- the server's list ---- */

/* DONE: nothing is asked for, or no more. Asking counts as a failure, except for the first time. */
static enum outcome ask_methods(struct login *l, char **out, struct err *err)
{
	struct ssh *s = l->s;
	const char *user = s->login.user, *list;
	long long end = now_ms() + SSH_STEP_MS;

	while (!(list = libssh2_userauth_list(s->session, user, (unsigned)strlen(user)))) {
		if (libssh2_userauth_authenticated(s->session))
			return DONE;
		if (libssh2_session_last_errno(s->session) != LIBSSH2_ERROR_EAGAIN)
			return LOST;
		if (ssh_wait(s, end, err) < 0)
			return LOST;
	}
	*out = xstrdup(list); /* the session's memory changes with the next call */
	return REFUSED;
}

static void add_to(struct strbuf *list, const char *what, const char *how)
{
	auto_free char *text = xasprintf("%s%s", what, how);

	if (!strstr(strbuf_str(list), text)) /* the password, by two ways */
		strbuf_addf(list, "%s%s", list->len ? ", " : "", text);
}

/* After a failure that may have been a success: a server that wants more says so by another list
 * (libssh2 does not pass "partial success" on). */
static enum outcome judge_failure(struct login *l, const char *what, struct err *err)
{
	char *now = NULL;
	enum outcome r;

	if (l->s->ended)
		return LOST;
	r = ask_methods(l, &now, err);
	if (r != REFUSED)
		return r;
	if (strcmp(now, l->methods) == 0) {
		free(now);
		add_to(&l->refused, what, " not accepted");
		return REFUSED;
	}
	free(l->methods);
	l->methods = now;
	add_to(&l->passed, what, "");
	return PARTIAL;
}

/* ---- keys ---- */

static int send_offer(struct login *l, const struct offer *o, struct err *err)
{
	struct ssh *s = l->s;
	const char *user = s->login.user;
	int rc;

	if (o->agent_key)
		RETRY(s, rc, libssh2_agent_userauth(l->offers.agent, user, o->agent_key),
		      SSH_STEP_MS, err);
	else
		RETRY(s, rc,
		      libssh2_userauth_publickey_fromfile_ex(s->session, user,
		                                             (unsigned)strlen(user), o->public,
		                                             o->file, o->passphrase),
		      SSH_STEP_MS, err);
	return rc;
}

static void key_refused(struct login *l, const struct offer *o)
{
	if (o->agent_key && !o->file)
		l->agent_refused++;
	else
		add_to(&l->refused, o->label, " not accepted");
}

static enum outcome try_key(struct login *l, const struct offer *o, struct err *err)
{
	char *msg = NULL;
	int rc = send_offer(l, o, err);

	if (rc == 0)
		return DONE;
	if (*err->msg)
		return LOST;
	if (l->s->ended) { /* it was this one that was one too many */
		key_refused(l, o);
		return LOST;
	}
	libssh2_session_last_error(l->s->session, &msg, NULL, 0);
	if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED) {
		key_refused(l, o);
		return REFUSED;
	}
	if (rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED && msg && strstr(msg, "Callback")) {
		add_to(&l->refused, o->label,
		       o->agent_key ? " is taken by the server, but the agent did not sign with it"
		                    : " is taken by the server, but cannot be used for signing");
		return REFUSED;
	}
	if (rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED)
		return judge_failure(l, o->label, err);
	add_to(&l->refused, o->label, " cannot be used: ");
	strbuf_addstr(&l->refused, msg ? msg : "?");
	return REFUSED;
}

static enum outcome try_keys(struct login *l, size_t end, struct err *err)
{
	while (l->next < end && takes(l, "publickey") && !l->s->login.no_publickey) {
		enum outcome r;

		l->attempts++;
		r = try_key(l, &l->offers.v[l->next++], err);
		if (r != REFUSED)
			return r;
	}
	return REFUSED;
}

/* ---- password and keyboard-interactive ---- */

static void server_said(struct ssh *s, const void *text, size_t len)
{
	auto_free char *copy = NULL;

	if (!text || !len || s->said.len > SAID_MAX)
		return;
	copy = xstrndup(text, len);
	text_neutralise(copy, false);
	while (len && (isspace((unsigned char)copy[len - 1]) || !copy[len - 1]))
		copy[--len] = '\0';
	if (*copy)
		strbuf_addf(&s->said, "%s%.*s", s->said.len ? " / " : "", SAID_MAX, copy);
}

static bool has_word(const unsigned char *text, size_t len, const char *word)
{
	auto_free char *copy = xstrndup((const char *)text, len);

	return strcasestr(copy, word) != NULL;
}

/*
 * The password goes to what looks like the question for it, and nowhere else: never as a new
 * password, and not as the answer to a one-time code. The first hidden question is taken as the one
 * for the password whatever its language.
 */
static bool is_password_question(const struct ssh *s, const LIBSSH2_USERAUTH_KBDINT_PROMPT *p)
{
	static const char *const change[] = {"new password", "retype", "again", "current",
	                                     "one-time"};
	static const char *const code[] = {"code", "token", "otp", "pin"};

	if (p->echo)
		return false;
	if (has_word(p->text, p->length, "password")) {
		for (size_t i = 0; i < ARRAY_SIZE(change); i++)
			if (has_word(p->text, p->length, change[i]))
				return false;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(code); i++)
		if (has_word(p->text, p->length, code[i]))
			return false;
	return s->rounds == 0;
}

static void answer(const char *name, int name_len, const char *instruction, int instruction_len,
                   int n, const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompts,
                   LIBSSH2_USERAUTH_KBDINT_RESPONSE *responses, void **abstract)
{
	struct ssh *s = *abstract;

	server_said(s, name, name_len > 0 ? (size_t)name_len : 0);
	server_said(s, instruction, instruction_len > 0 ? (size_t)instruction_len : 0);
	for (int i = 0; i < n; i++) {
		bool password = is_password_question(s, &prompts[i]);

		if (!password) {
			server_said(s, prompts[i].text, prompts[i].length);
			s->unanswered = true;
		}
		responses[i].text = strdup(password ? s->cfg->password : "");
		responses[i].length = responses[i].text ? (unsigned)strlen(responses[i].text) : 0;
	}
	s->rounds += n > 0;
}

static enum outcome try_plain_password(struct login *l, struct err *err)
{
	struct ssh *s = l->s;
	const char *user = s->login.user, *password = s->cfg->password;
	int rc;

	l->attempts++;
	RETRY(s, rc,
	      libssh2_userauth_password_ex(s->session, user, (unsigned)strlen(user), password,
	                                   (unsigned)strlen(password), NULL),
	      SSH_STEP_MS, err);
	if (rc == 0)
		return DONE;
	if (rc == LIBSSH2_ERROR_PASSWORD_EXPIRED) {
		add_to(&l->refused, "the password has expired and has to be changed first", "");
		return REFUSED;
	}
	return l->s->ended ? LOST : UNCLEAR;
}

static enum outcome try_questions(struct login *l, struct err *err)
{
	struct ssh *s = l->s;
	const char *user = s->login.user;
	int rc;

	l->attempts++;
	s->rounds = 0;
	RETRY(s, rc,
	      libssh2_userauth_keyboard_interactive_ex(s->session, user, (unsigned)strlen(user),
	                                               answer),
	      SSH_STEP_MS, err);
	if (rc == 0)
		return DONE;
	if (s->unanswered && !s->ended) {
		add_to(&l->refused, "the server asks for more than a password", "");
		return REFUSED;
	}
	return s->ended ? LOST : UNCLEAR;
}

static enum outcome try_password(struct login *l, struct err *err)
{
	enum outcome r = REFUSED;

	if (!l->s->cfg->password || l->password_tried || !takes_password(l))
		return REFUSED;
	l->password_tried = true;
	if (takes(l, "password") && !l->s->login.no_password)
		r = try_plain_password(l, err);
	/* the same password by another way, where the first one is switched off for this user */
	if ((r == REFUSED || r == UNCLEAR) && takes(l, "keyboard-interactive") &&
	    !l->s->login.no_kbdint)
		r = try_questions(l, err);
	if (r == LOST && !*err->msg)
		add_to(&l->refused, "password", " not accepted");
	return r == UNCLEAR ? judge_failure(l, "password", err) : r;
}

/* ---- the outcome in words ---- */

static void add_untried(struct login *l, struct strbuf *out)
{
	size_t agent = 0, shown = 0;

	for (size_t i = l->next; i < l->offers.n; i++) {
		if (l->offers.v[i].agent_key && !l->offers.v[i].file)
			agent++;
		else if (shown++ < 3)
			add_to(out, l->offers.v[i].label, "");
	}
	if (agent)
		strbuf_addf(out, "%s%zu key%s of the agent", out->len ? ", " : "", agent,
		            agent == 1 ? "" : "s");
	if (l->s->cfg->password && !l->password_tried)
		add_to(out, "password", "");
}

static void add_refused(struct login *l, struct strbuf *out)
{
	if (l->refused.len)
		add_to(out, strbuf_str(&l->refused), "");
	if (l->agent_refused)
		strbuf_addf(out, "%s%zu key%s of the agent not accepted", out->len ? ", " : "",
		            l->agent_refused, l->agent_refused == 1 ? "" : "s");
	if (l->offers.unused.len)
		add_to(out, strbuf_str(&l->offers.unused), "");
}

static void add_said(struct login *l, struct err *err)
{
	char *banner = NULL;

	libssh2_userauth_banner(l->s->session, &banner);
	if (banner)
		server_said(l->s, banner, strlen(banner));
	if (l->s->said.len) {
		struct err before = *err;

		err_set_code(err, before.code, "%.600s; the server says: \"%.380s\"", before.msg,
		             strbuf_str(&l->s->said));
	}
}

static int say_lost(struct login *l, struct err *err)
{
	auto_strbuf refused = {0}, untried = {0};
	bool many = l->s->reason.len && strcasestr(strbuf_str(&l->s->reason), "too many");

	if (*err->msg) /* a deadline */
		return err_wrap(err, "ssh: login as %s", l->s->login.user);
	add_refused(l, &refused);
	add_untried(l, &untried);
	err_set(
	    err, "ssh: login as %s: %s%s%s%s%s%s%s%s%s", l->s->login.user,
	    l->s->reason.len ? "the server ended the connection: " : "", ssh_why(l->s),
	    l->passed.len ? "; accepted: " : "", strbuf_str(&l->passed), refused.len ? "; " : "",
	    strbuf_str(&refused), untried.len ? "; not tried: " : "", strbuf_str(&untried),
	    many ? "; name the right key with --identity, or IdentitiesOnly in ~/.ssh/config" : "");
	add_said(l, err);
	return -1;
}

static int say_refused(struct login *l, struct err *err)
{
	auto_strbuf refused = {0};

	text_neutralise(l->methods, false);
	add_refused(l, &refused);
	if (!refused.len && l->passed.len)
		strbuf_addf(&refused, "nothing to offer for the next step%s",
		            takes_password(l) && !l->s->cfg->password
		                ? " (--ask-pass, --password-file)"
		                : "");
	else if (!refused.len && l->s->cfg->password && !takes_password(l))
		strbuf_addstr(&refused,
		              "no key to offer (--identity), and a password is not taken");
	else if (!refused.len)
		strbuf_addstr(&refused, "no key and no password to offer (--identity, --ask-pass)");
	err_set(err, "ssh: login as %s refused: %s%s%s%s; the server takes %s", l->s->login.user,
	        l->passed.len ? "accepted " : "", strbuf_str(&l->passed),
	        l->passed.len ? ", then: " : "", strbuf_str(&refused), l->methods);
	add_said(l, err);
	return -1;
}

/* ---- the order ---- */

static enum outcome one_step(struct login *l, struct err *err)
{
	enum outcome r = try_keys(l, l->offers.named, err);

	if (r == REFUSED && l->offers.n - l->offers.named > MANY_KEYS)
		r = try_password(l, err);
	if (r == REFUSED)
		r = try_keys(l, l->offers.n, err);
	if (r == REFUSED)
		r = try_password(l, err);
	return r;
}

int ssh_login(struct ssh *s, struct err *err)
{
	struct login l = {.s = s};
	enum outcome r = ask_methods(&l, &l.methods, err);
	int rc;

	if (r == REFUSED)
		offers_init(&l.offers, s);
	for (int step = 0; r == REFUSED && step < STEPS_MAX; step++) {
		r = one_step(&l, err);
		if (r != PARTIAL)
			break;
		r = REFUSED;
		l.password_tried = false;
		strbuf_reset(&l.refused);
		l.agent_refused = 0;
	}
	rc = r == DONE ? 0 : r == LOST ? say_lost(&l, err) : say_refused(&l, err);
	offers_release(&l.offers);
	free(l.methods);
	strbuf_release(&l.refused);
	strbuf_release(&l.passed);
	return rc;
}
