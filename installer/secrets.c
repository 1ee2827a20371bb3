// SPDX-License-Identifier: Apache-2.0
/*
 * The secrets of an installation on a node: join tokens and certificate keys. They are made here,
 * reach kubeadm in a file that is never on a disk, and are taken out of what kubeadm prints.
 */
#include "secrets.h"

#include "err.h"
#include "fs.h"
#include "mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define TOKEN_CHARS "abcdefghijklmnopqrstuvwxyz0123456789"
#define SHORTEST    6 /* characters; shorter words are no secrets of kubeadm's */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* linux/memfd.h of 6.3 */
#endif
#define HELD_MAX (64u << 10) /* bytes */

/* ---- making them ---- */

static int random_text(const char *alphabet, size_t len, char *out, struct err *err)
{
	size_t n = strlen(alphabet), done = 0;

	while (done < len) {
		unsigned char b;

		if (getrandom(&b, 1, 0) != 1)
			return err_set(err, "no random numbers: %s", strerror(errno));
		if (b < 256 / n * n) /* the rest would favour some letters */
			out[done++] = alphabet[b % n];
	}
	out[len] = '\0';
	return 0;
}

int secret_new_token(char out[static SECRET_TOKEN_SIZE], struct err *err)
{
	if (random_text(TOKEN_CHARS, 6, out, err) < 0 ||
	    random_text(TOKEN_CHARS, 16, out + 7, err) < 0)
		return -1;
	out[6] = '.';
	return 0;
}

int secret_new_key(char out[static SECRET_KEY_SIZE], struct err *err)
{
	return random_text("0123456789abcdef", SECRET_KEY_SIZE - 1, out, err);
}

/* ---- finding them ---- */

static void add_secret(struct strlist *secrets, const char *s)
{
	const char *dot = strchr(s, '.');

	if (strlen(s) >= SHORTEST)
		strlist_add(secrets, s);
	if (dot && strlen(dot + 1) >= SHORTEST)
		strlist_add(secrets, dot + 1);
}

void secrets_find(const json_t *docs, struct strlist *secrets)
{
	const char *key;
	json_t *child;
	size_t i;

	if (json_is_array(docs)) {
		json_array_foreach (docs, i, child)
			secrets_find(child, secrets);
		return;
	}
	json_object_foreach ((json_t *)(uintptr_t)docs, key, child) {
		if (!json_is_string(child))
			secrets_find(child, secrets);
		else if (strcmp(key, "token") == 0 || strcmp(key, "tlsBootstrapToken") == 0 ||
		         strcmp(key, "certificateKey") == 0)
			add_secret(secrets, json_string_value(child));
	}
}

/* ---- keeping them out of sight ---- */

/* The bytes of a stream, or of both, without white space, and where each of them lies. */
struct view {
	char *text;
	size_t *at, n;
};

static void view_init(struct view *v, const struct redactor *r, int stream)
{
	v->text = xmalloc(r->text.len + 1);
	v->at = xcalloc(r->text.len + 1, sizeof(*v->at));
	v->n = 0;
	for (size_t i = 0; i < r->text.len; i++) {
		if (isspace((unsigned char)r->text.buf[i]) ||
		    (stream && r->streams.buf[i] != stream))
			continue;
		v->at[v->n] = i;
		v->text[v->n++] = r->text.buf[i];
	}
	v->text[v->n] = '\0';
}

static void view_release(struct view *v)
{
	free(v->text);
	free(v->at);
}

/* Marks each occurrence of a secret. Returns the position in the whole text from which on the end
 * of the view may be the beginning of the secret; SIZE_MAX: it cannot be. */
static size_t find_secret(const struct view *v, const char *secret, struct strbuf *marks)
{
	size_t len = strlen(secret), tail;

	for (size_t i = 0; i + len <= v->n; i++) {
		if (memcmp(v->text + i, secret, len) != 0)
			continue;
		for (size_t k = 0; k < len; k++)
			marks->buf[v->at[i + k]] = 1;
	}
	for (tail = v->n < len - 1 ? v->n : len - 1; tail; tail--)
		if (memcmp(v->text + v->n - tail, secret, tail) == 0)
			return v->at[v->n - tail];
	return SIZE_MAX;
}

/* Hands the first len bytes to the sink, each run of one stream in one piece. */
static void pass_on(struct redactor *r, size_t len)
{
	size_t from = 0;

	for (size_t i = 0; i < len; i++)
		if (r->marks.buf[i])
			r->text.buf[i] = '*';
	for (size_t i = 1; i <= len; i++) {
		if (i < len && r->streams.buf[i] == r->streams.buf[from])
			continue;
		r->sink(r->ctx, r->streams.buf[from], r->text.buf + from, i - from);
		from = i;
	}
	strbuf_consume(&r->text, len);
	strbuf_consume(&r->streams, len);
	strbuf_consume(&r->marks, len);
}

/* Returns how many bytes cannot be part of a secret that is still to be completed. */
static size_t examine(struct redactor *r)
{
	size_t clear = r->text.len;

	for (int stream = 0; stream <= 2; stream++) { /* 0: both as they came */
		struct view v;

		view_init(&v, r, stream);
		for (size_t i = 0; i < r->secrets->n; i++) {
			const char *secret = r->secrets->v[i];
			size_t from = *secret ? find_secret(&v, secret, &r->marks) : SIZE_MAX;

			clear = from < clear ? from : clear;
		}
		view_release(&v);
	}
	return clear;
}

void redactor_feed(struct redactor *r, int stream, const char *data, size_t len)
{
	size_t clear;

	if (!len)
		return;
	strbuf_add(&r->text, data, len);
	for (size_t i = 0; i < len; i++) {
		strbuf_addch(&r->streams, (char)stream);
		strbuf_addch(&r->marks, 0);
	}
	clear = examine(r);
	if (r->text.len - clear > HELD_MAX) {
		memset(r->marks.buf + clear, 1, r->text.len - clear);
		clear = r->text.len;
	}
	if (clear)
		pass_on(r, clear);
}

void redactor_finish(struct redactor *r)
{
	if (r->text.len)
		pass_on(r, r->text.len);
	strbuf_release(&r->text);
	strbuf_release(&r->streams);
	strbuf_release(&r->marks);
}

static void collect(void *ctx, int stream, const char *text, size_t len)
{
	(void)stream;
	strbuf_add(ctx, text, len);
}

void secrets_blank(char *text, const struct strlist *secrets)
{
	auto_strbuf out = {0};
	struct redactor r = {.secrets = secrets, .sink = collect, .ctx = &out};

	redactor_feed(&r, 1, text, strlen(text));
	redactor_finish(&r);
	memcpy(text, strbuf_str(&out), out.len);
}

/* ---- passing them to kubeadm ---- */

/* Where vm.memfd_noexec is 2 only such files can be made; kernels before 6.3 do not know them. */
static int create_memory_file(void)
{
	int fd = memfd_create("kubeadm.yaml", MFD_NOEXEC_SEAL);

	return fd < 0 && errno == EINVAL ? memfd_create("kubeadm.yaml", 0) : fd;
}

int secret_file(const json_t *docs, char path[static 32], struct err *err)
{
	/* inherited: kubeadm reads it more than once, also after this process has ended */
	auto_close int fd = create_memory_file();
	auto_strbuf text = {0};
	size_t i;
	json_t *doc;
	int rc;

	if (fd < 0)
		return err_set(err, "kubeadm's configuration: memfd_create: %s", strerror(errno));
	json_array_foreach (docs, i, doc) {
		char *s = json_dumps(doc, JSON_INDENT(1));

		strbuf_addf(&text, "---\n%s\n", s ? s : "");
		if (s)
			explicit_bzero(s, strlen(s));
		free(s);
	}
	rc = fs_write_all(fd, text.buf, text.len);
	if (text.len)
		explicit_bzero(text.buf, text.len);
	if (rc < 0)
		return err_set(err, "kubeadm's configuration: %s", strerror(errno));
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return steal_fd(&fd);
}
