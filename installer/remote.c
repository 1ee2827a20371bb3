// SPDX-License-Identifier: Apache-2.0
#include "remote.h"

#include "digest.h"
#include "err.h"
#include "fs.h"
#include "link.h"
#include "mem.h"
#include "proto.h"
#include "ssh.h"
#include "strbuf.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SELF_MAX    (64u << 20)
#define HELLO_MS    40000 /* a login that prints nothing: slow, or a command that waits for input */
#define QUIET_MS    15000 /* the same after it has printed something that is not ours */
#define PLACED_MS   180000 /* what was sent may still be on its way over a slow line */
#define SERVING_MS  60000
#define PASSWORD_MS 30000 /* sudo with a password: it may be waiting for another one */
#define PROMPT_MS   5000  /* a prompt that we do not recognise has been printed by then */
#define STDERR_MS   500   /* what was printed on stderr may come after the answer on stdout */
#define LINE_MAX_   65536
#define QUOTE_MAX   400 /* bytes of foreign text in a message */
#define SERVE       "\"$d/kubecask\" node serve --placed \"$d\" --token $T"

/*
 * One line for /bin/sh. Nothing that it reads later is run: the bytes go to a file and the words
 * are compared. `head | { cat || cat; }` takes all bytes also when the disk is full.
 */
static const char script[] =
    "umask 077; T=%s N=%zu D=%s d=; LC_ALL=C; export LC_ALL; unset LANGUAGE; "
    "say() { printf \"%%s %%s\\n\" \"$T\" \"$*\"; }; "
    "trap '' PIPE; trap 'test -z \"$d\" || rm -rf -- \"$d\"' EXIT; trap 'exit 1' HUP INT TERM; "
    "for t in head mktemp wc cat chmod rm id; do command -v $t >/dev/null || "
    "{ say lacks $t; exit 1; }; done; "
    "sum() { sha256sum <\"$1\" || openssl dgst -sha256 -r <\"$1\" || shasum -a 256 <\"$1\"; }; "
    "for p in /var/tmp /tmp \"${HOME:-/var/tmp}\" /run /opt; do "
    "if ! d=$(mktemp -d \"$p/kubecask.XXXXXXXX\" 2>&1); then say no \"$p: $d\"; d=; continue; fi; "
    "drop() { rm -rf -- \"$d\"; d=; say no \"$p: $1\"; }; f=$d/kubecask; "
    "if ! e=$({ printf \"#!/bin/sh\\nexit 0\\n\" >\"$f\" && chmod 700 \"$f\"; } 2>&1); then "
    "drop \"$e\"; continue; fi; "
    "if ! \"$f\" 2>/dev/null; then drop \"no program can be run there (noexec?)\"; continue; fi; "
    "say send; e=$({ head -c $N | { cat >\"$f\" || cat >/dev/null; }; } 2>&1); "
    "if test \"$(wc -c <\"$f\")\" -ne $N; then drop \"$e\"; continue; fi; "
    "case $(sum \"$f\" 2>/dev/null) in $D*) ;; '') say lacks sha256sum; exit 1;; "
    "*) drop \"the program was damaged on its way\"; continue;; esac; "
    "if ! e=$({ printf %%s $T >\"$d/token\"; } 2>&1); then drop \"$e\"; continue; fi; "
    "say placed $(id -u); while IFS= read -r how; do case $how in "
    "root) " SERVE ";; sudo) command -v sudo >/dev/null || { say lacks sudo; continue; }; "
    "sudo -n -- " SERVE ";; list) sudo -n -l;; "
    "ask) sudo -k -S -p \"$T %%p:\" -- " SERVE ";; *) exit;; esac; say ended $?; done; exit; "
    "done; say none\n";

/* The words behind the token, in the order of enum remote_word. */
static const char *const words[] = {
    [REMOTE_LACKS] = "lacks", [REMOTE_NO] = "no",         [REMOTE_SEND] = "send",
    [REMOTE_NONE] = "none",   [REMOTE_PLACED] = "placed", [REMOTE_ENDED] = "ended",
};

/* ---- text ---- */

/* The token does not stand in the command as it is printed: a login that shows the command instead
 * of running it is not taken for an answer. */
char *remote_command(const char token[static REMOTE_TOKEN_LEN + 1])
{
	return xasprintf("exec /bin/sh -c 'echo %.16s\"\"%s; IFS= read -r s && eval \"$s\"'", token,
	                 token + 16);
}

char *remote_script(const char token[static REMOTE_TOKEN_LEN + 1], size_t size, const char *digest)
{
	return xasprintf(script, token, size, digest);
}

enum remote_word remote_parse(const char *line, const char token[static REMOTE_TOKEN_LEN + 1],
                              const char **rest)
{
	const char *p = strstr(line, token);
	size_t len;

	*rest = "";
	if (!p)
		return REMOTE_OTHER;
	if (p - line >= 13 && strncmp(p - 13, "{\"at\":\"ready ", 13) == 0)
		return REMOTE_SERVING;
	p += REMOTE_TOKEN_LEN;
	if (!*p || *p == '\r')
		return REMOTE_HELLO;
	if (*p++ != ' ')
		return REMOTE_OTHER;
	len = strcspn(p, " \r");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i] && strlen(words[i]) == len && strncmp(p, words[i], len) == 0) {
			*rest = p + len + (p[len] == ' ');
			return (enum remote_word)i;
		}
	return REMOTE_OTHER;
}

/* The last of our prompts ("TOKEN USER:") in text; *end is behind it. The token alone may also
 * stand in a command that sudo quotes. */
static const char *last_prompt(const char *text, const char *token, const char **end)
{
	const char *found = NULL, *p = text;

	while ((p = strstr(p, token))) {
		const char *user = p + strlen(token) + 1;
		size_t len = user[-1] == ' ' ? strcspn(user, ": \r\n") : 0;

		if (len && user[len] == ':') {
			found = p;
			*end = user + len + 1;
		}
		p += strlen(token);
	}
	return found;
}

void remote_quote(const char *text, const char *token, struct strbuf *out)
{
	auto_free char *copy = xstrdup(text);
	char *next = copy, *line;
	size_t begin = out->len;

	while ((line = strsep(&next, "\r\n"))) {
		const char *end;
		size_t len;

		if (last_prompt(line, token,
		                &end)) /* perhaps with sudo's next sentence behind it */
			line += end - line;
		line += strspn(line, " \t");
		len = strlen(line);
		while (len && (line[len - 1] == ' ' || line[len - 1] == '.'))
			line[--len] = '\0';
		if (!len)
			continue;
		strbuf_addf(out, "%s%s", out->len > begin ? "; " : "", line);
	}
	if (out->len - begin > QUOTE_MAX) { /* the end says more than the beginning */
		auto_free char *tail = xasprintf("... %s", out->buf + out->len - QUOTE_MAX);

		out->len = begin;
		strbuf_addstr(out, tail);
	}
	if (out->len > begin)
		text_neutralise(out->buf + begin, false);
}

bool remote_prompt(const char *text, const char *token, char user[static 64])
{
	const char *end, *p = last_prompt(text, token, &end);

	if (!p)
		return false;
	p += strlen(token) + 1;
	snprintf(user, 64, "%.*s", (int)(end - p - 1), p);
	text_neutralise(user, false);
	return true;
}

static int make_token(char out[static REMOTE_TOKEN_LEN + 1], struct err *err)
{
	unsigned char b[REMOTE_TOKEN_LEN / 2];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return err_set(err, "no random numbers: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(b); i++)
		snprintf(out + 2 * i, 3, "%02x", b[i]);
	return 0;
}

/* ---- reading ---- */

struct remote {
	struct link *link;
	const char *user, *password;
	char token[REMOTE_TOKEN_LEN + 1];
	struct strbuf self;    /* this program */
	struct strbuf other;   /* lines that are not ours, since the last question */
	struct strbuf refused; /* directories, and why */
	char rest[256];        /* of the last line */
};

static const char *new_stderr(const struct remote *r)
{
	return r->link->ops->stderr_text(r->link->ctx);
}

/* From here on what the machine prints belongs to another question. */
static void new_question(struct remote *r)
{
	strbuf_reset(&r->other);
	ssh_forget_stderr(r->link);
}

/* What the machine printed that is not ours; "" when nothing. */
static const char *printed(struct remote *r, struct strbuf *out)
{
	remote_quote(new_stderr(r), r->token, out);
	if (r->other.len) {
		if (out->len)
			strbuf_addstr(out, "; ");
		remote_quote(strbuf_str(&r->other), r->token, out);
	}
	return strbuf_str(out);
}

enum { LINE_TIMEOUT = -2, LINE_END = -3 };

/* Takes a complete line out of what was read. */
static bool next_line(struct remote *r, enum remote_word *word)
{
	struct strbuf *in = &r->link->in;
	char *nl = in->len ? memchr(in->buf, '\n', in->len) : NULL;
	const char *rest;

	if (!nl)
		return false;
	*nl = '\0';
	*word = remote_parse(in->buf, r->token, &rest);
	snprintf(r->rest, sizeof(r->rest), "%s", rest);
	text_neutralise(r->rest, false);
	if (*word == REMOTE_OTHER && r->other.len < LINE_MAX_)
		strbuf_addf(&r->other, "%s\n", in->buf);
	strbuf_consume(in, (size_t)(nl - in->buf) + 1);
	return true;
}

/* Bytes without a newline that came before the machine fell silent or ended. */
static void keep_unfinished_line(struct remote *r)
{
	if (!r->link->in.len)
		return;
	r->link->in.buf[r->link->in.len] = '\0';
	strbuf_addf(&r->other, "%s\n", r->link->in.buf);
	strbuf_reset(&r->link->in);
}

/* The next line of ours (an enum remote_word but REMOTE_OTHER), LINE_TIMEOUT, LINE_END, or -1. With
 * quiet_ms the time ends earlier when something not ours was printed and no more comes. prompts: it
 * also ends, with REMOTE_OTHER, when stderr holds a prompt. */
static int await_line(struct remote *r, unsigned ms, unsigned quiet_ms, bool prompts,
                      struct err *err)
{
	long long end = now_ms() + ms;
	size_t err_len = strlen(new_stderr(r));
	char user[64];

	for (;;) {
		enum remote_word word;
		struct pollfd p;
		long long left;
		ssize_t n;

		while (next_line(r, &word))
			if (word != REMOTE_OTHER)
				return (int)word;
		if (r->link->in.len > LINE_MAX_)
			return err_set(err,
			               "not a line of text in the first %d bytes that it prints",
			               LINE_MAX_);
		strbuf_grow(&r->link->in, 4096);
		n = r->link->ops->read(r->link->ctx, r->link->in.buf + r->link->in.len, 4096,
		                       LINK_NOW, err);
		if (n == -1)
			return -1;
		if (n > 0) {
			r->link->in.len += (size_t)n;
			r->link->in.buf[r->link->in.len] = '\0';
		}
		if (prompts && remote_prompt(new_stderr(r), r->token, user))
			return REMOTE_OTHER;
		if (n == 0) {
			keep_unfinished_line(r);
			return LINE_END;
		}
		if (quiet_ms && (n > 0 || strlen(new_stderr(r)) != err_len)) {
			err_len = strlen(new_stderr(r));
			end = now_ms() + quiet_ms;
		}
		if (n > 0)
			continue;
		left = end - now_ms();
		if (left <= 0) {
			keep_unfinished_line(r);
			return LINE_TIMEOUT;
		}
		link_pollfd(r->link, &p);
		poll(&p, 1, left < 1000 ? (int)left : 1000);
	}
}

static int send_text(struct remote *r, const char *text, struct err *err)
{
	new_question(r);
	return r->link->ops->write(r->link->ctx, text, strlen(text), err);
}

/* ---- placing ---- */

/* The login shell runs our command: nothing but a command may be sent before that is known. */
static int await_hello(struct remote *r, struct err *err)
{
	auto_strbuf text = {0};
	int got = await_line(r, HELLO_MS, QUIET_MS, false, err);

	if (got == REMOTE_HELLO)
		return 0;
	if (got == -1)
		return -1;
	if (*printed(r, &text))
		return err_set(err, "no program can be run over this login, it prints: %s",
		               strbuf_str(&text));
	if (got == LINE_TIMEOUT)
		return err_set(err, "no program can be run over this login: it prints nothing and "
		                    "does not end (a forced command?)");
	return err_set(err, "no program can be run over this login, it ends at once (nologin, or a "
	                    "forced command?)");
}

static int unexpected(struct remote *r, int got, const char *doing, struct err *err)
{
	auto_strbuf text = {0};

	if (got == -1)
		return -1;
	if (*printed(r, &text))
		return err_set(err, "%s: %s", doing, strbuf_str(&text));
	return err_set(err, "%s: %s", doing,
	               got == LINE_TIMEOUT ? "no answer in time" : "the shell there ended");
}

static int place(struct remote *r, struct err *err)
{
	auto_free char *text = NULL;
	struct digest digest;
	int got;

	digest_data(r->self.buf, r->self.len, &digest);
	text = remote_script(r->token, r->self.len, digest_hex(&digest));
	if (send_text(r, text, err) < 0)
		return -1;
	for (;;) {
		got = await_line(r, PLACED_MS, 0, false, err);
		if (got == REMOTE_PLACED)
			return 0;
		if (got == REMOTE_NO)
			strbuf_addf(&r->refused, "%s%s", r->refused.len ? "; " : "", r->rest);
		else if (got == REMOTE_NONE)
			return err_set(err, "no directory to place the program in: %s",
			               strbuf_str(&r->refused));
		else if (got == REMOTE_LACKS)
			return err_set(err, "place the program: %s is not there", r->rest);
		else if (got != REMOTE_SEND)
			return unexpected(r, got, "place the program", err);
		else if (r->link->ops->write(r->link->ctx, r->self.buf, r->self.len, err) < 0)
			return -1;
	}
}

/* ---- becoming root ---- */

/* Waits for the program's greeting. 1: it is there; 0: what was tried ended without it. */
static int await_serving(struct remote *r, const char *how, bool prompts, struct err *err)
{
	int got = await_line(r, SERVING_MS, 0, prompts, err);

	if (got == REMOTE_SERVING)
		return 1;
	if (got == REMOTE_LACKS)
		return err_set(err, "%s: not there, and %s is not root", r->rest, r->user);
	if (got != REMOTE_ENDED)
		return unexpected(r, got, how, err);
	if (!*new_stderr(r) && await_line(r, STDERR_MS, 0, false, err) == -1)
		return -1;
	return 0;
}

/* A failure that quotes sudo. */
static int sudo_failure(const char *said, struct err *err)
{
	if (!*said)
		return err_set(err, "sudo: failed without a word");
	return err_set(err, strncmp(said, "sudo: ", 6) == 0 ? "%s" : "sudo: %s", said);
}

/* sudo's own sentence, and what it allows without a password when that is something. */
static int no_password(struct remote *r, struct err *err)
{
	auto_strbuf said = {0}, allowed = {0};
	bool wants_password;

	printed(r, &said);
	wants_password = strstr(strbuf_str(&said), "password is required") != NULL;
	if (send_text(r, "list\n", err) < 0)
		return -1;
	if (await_line(r, SERVING_MS, 0, false, err) == REMOTE_ENDED && atoi(r->rest) == 0)
		remote_quote(strbuf_str(&r->other), r->token, &allowed);
	sudo_failure(strbuf_str(&said), err);
	auto_free char *sentence = xstrdup(err->msg);

	return err_set(err, "%s%s%s%s", sentence,
	               wants_password ? " (--ask-pass or --password-file)" : "",
	               allowed.len ? "; without one: " : "", strbuf_str(&allowed));
}

/* sudo asked once more, or for something else: the end of its input makes it say why and end. */
static int password_refused(struct remote *r, const char *user, struct err *err)
{
	auto_strbuf said = {0};
	struct err ignored = {0};

	ssh_end_input(r->link);
	await_line(r, PASSWORD_MS, 0, false, &ignored);
	await_line(r, STDERR_MS, 0, false, &ignored);
	return err_set(err, "sudo did not take the password given for %s: %s",
	               *user ? user : r->user, printed(r, &said));
}

static int serve_with_password(struct remote *r, struct err *err)
{
	auto_free char *line = xasprintf("%s\n", r->password);
	auto_strbuf said = {0};
	char user[64] = "";
	int got;

	if (send_text(r, "ask\n", err) < 0)
		return -1;
	got = await_line(r, PROMPT_MS, 0, true, err);
	if (got == REMOTE_OTHER)
		remote_prompt(new_stderr(r), r->token, user);
	if (got == REMOTE_OTHER || got == LINE_TIMEOUT) {
		got = send_text(r, line, err);
		explicit_bzero(line, strlen(line));
		if (got < 0)
			return -1;
		got = await_line(r, PASSWORD_MS, 0, true, err);
	}
	if (got == REMOTE_SERVING)
		return 0;
	if (got == REMOTE_OTHER || got == LINE_TIMEOUT)
		return password_refused(r, user, err);
	if (got != REMOTE_ENDED)
		return unexpected(r, got, "sudo", err);
	if (!*new_stderr(r))
		await_line(r, STDERR_MS, 0, false, err);
	return sudo_failure(printed(r, &said), err);
}

static int serve_as_root(struct remote *r, struct err *err)
{
	bool root = strcmp(r->rest, "0") == 0;
	int got;

	if (send_text(r, root ? "root\n" : "sudo\n", err) < 0)
		return -1;
	got = await_serving(r, root ? "start the program" : "sudo", false, err);
	if (got != 0)
		return got < 0 ? -1 : 0;
	if (root) {
		auto_strbuf said = {0};

		return err_set(err, "the program does not start: %s",
		               *printed(r, &said) ? strbuf_str(&said) : r->rest);
	}
	return r->password ? serve_with_password(r, err) : no_password(r, err);
}

/* ---- the whole ---- */

/* The shell there removes the directory at the end of its input; that is waited for, as the end of
 * the connection might come first. */
static void close_remote(struct remote *r)
{
	struct err ignored = {0};

	ssh_end_input(r->link);
	for (int i = 0; i < 8 && await_line(r, QUIET_MS, 0, false, &ignored) >= 0; i++)
		;
	link_release(r->link);
}

int remote_serve(struct ssh *s, const char *password, struct link *node, struct err *err)
{
	struct remote r = {.link = node, .user = ssh_user(s), .password = password};
	auto_free char *command = NULL;
	int rc;

	if (make_token(r.token, err) < 0 || fs_read("/proc/self/exe", SELF_MAX, &r.self, err) < 0) {
		ssh_free(s);
		return -1;
	}
	command = remote_command(r.token);
	rc = ssh_start(s, command, node, err);
	if (rc < 0) {
		ssh_free(s);
	} else {
		rc = await_hello(&r, err);
		if (rc == 0)
			rc = place(&r, err);
		if (rc == 0)
			rc = serve_as_root(&r, err);
		if (rc < 0)
			close_remote(&r);
		else
			ssh_forget_stderr(node);
	}
	strbuf_release(&r.self);
	strbuf_release(&r.other);
	strbuf_release(&r.refused);
	return rc;
}
