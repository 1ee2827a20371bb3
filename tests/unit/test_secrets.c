/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* Secrets are found however the output arrives; the documents for kubeadm are on no disk. */
#include "err.h"
#include "mem.h"
#include "proc.h"
#include "secrets.h"
#include "unit.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN "k3qxv7.p0s9d8f7g6h5j4k3"
#define KEY   "00ff11ee22dd33cc44bb55aa66997788"

struct heard {
	struct strbuf all, stream[3];
};

static void hear(void *ctx, int stream, const char *text, size_t len)
{
	struct heard *h = ctx;

	strbuf_add(&h->all, text, len);
	strbuf_add(&h->stream[stream], text, len);
}

static void heard_release(struct heard *h)
{
	strbuf_release(&h->all);
	for (int i = 0; i < 3; i++)
		strbuf_release(&h->stream[i]);
}

static bool shows(const struct strbuf *text, const char *secret)
{
	auto_strbuf dense = {0};

	for (size_t i = 0; i < text->len; i++)
		if (!isspace((unsigned char)text->buf[i]))
			strbuf_addch(&dense, text->buf[i]);
	return strstr(strbuf_str(&dense), secret) != NULL;
}

static void no_secret_is_shown(const struct heard *h)
{
	assert_false(shows(&h->all, TOKEN));
	assert_false(shows(&h->all, KEY));
	for (int i = 1; i < 3; i++) {
		assert_false(shows(&h->stream[i], TOKEN));
		assert_false(shows(&h->stream[i], KEY));
		assert_false(shows(&h->stream[i], &TOKEN[7]));
	}
}

static void find_all(struct strlist *secrets)
{
	json_t *docs = json_pack("[{s[{ss}] ss} {s{s{ss}}}]", "bootstrapTokens", "token", TOKEN,
	                         "certificateKey", KEY, "discovery", "bootstrapToken", "token",
	                         TOKEN);

	secrets_find(docs, secrets);
	json_decref(docs);
}

static void secrets_of_the_documents(void **state)
{
	auto_strlist secrets = {0};

	(void)state;
	find_all(&secrets);
	assert_true(strlist_has(&secrets, TOKEN));
	assert_true(strlist_has(&secrets, &TOKEN[7]));
	assert_true(strlist_has(&secrets, KEY));
}

/* Words, secrets and pieces of secrets in random order, cut anywhere, on either stream. */
static void one_random_output(unsigned seed, const struct strlist *secrets)
{
	static const char *const words[] = {TOKEN,     KEY,    TOKEN,    "[certs] ",
	                                    "\n",      "k3qx", "00ff",   " ",
	                                    "plain\n", KEY,    "p0s9d8", "k3qxv7."};
	struct heard h = {0};
	struct redactor r = {.secrets = secrets, .sink = hear, .ctx = &h};
	size_t fed = 0;

	srand(seed);
	for (int i = 0; i < 12; i++) {
		const char *w = words[(size_t)rand() % ARRAY_SIZE(words)];
		int stream = 1 + rand() % 2;
		bool both = rand() % 3 == 0; /* its pieces go to stdout and stderr in turn */

		while (*w) {
			size_t n = 1 + (size_t)rand() % 9;

			n = n < strlen(w) ? n : strlen(w);
			redactor_feed(&r, stream, w, n);
			fed += n;
			w += n;
			if (both)
				stream = 3 - stream;
			if (rand() % 4 == 0) { /* and a line ends in its middle */
				redactor_feed(&r, stream, "\n", 1);
				fed++;
			}
		}
	}
	redactor_finish(&r);
	assert_int_equal(h.all.len, fed);
	no_secret_is_shown(&h);
	heard_release(&h);
}

static void any_cut_on_any_stream(void **state)
{
	auto_strlist secrets = {0};

	(void)state;
	find_all(&secrets);
	for (unsigned seed = 1; seed <= 3000; seed++)
		one_random_output(seed, &secrets);
}

static void what_is_no_secret_stays(void **state)
{
	static const char text[] = "[certs] k3qxv6 and 00ff11ee22 and k3qxv7.p0s9 stay\n";
	auto_strlist secrets = {0};
	struct heard h = {0};
	struct redactor r = {.secrets = &secrets, .sink = hear, .ctx = &h};

	(void)state;
	find_all(&secrets);
	for (size_t i = 0; i < strlen(text); i++)
		redactor_feed(&r, 1, text + i, 1);
	assert_string_equal(h.all.buf, text); /* at once, not only at the end */
	redactor_finish(&r);
	heard_release(&h);
}

/* A stream that ends in what may be a secret does not make the other one wait for ever. */
static void what_is_held_back_has_a_bound(void **state)
{
	auto_strlist secrets = {0};
	struct heard h = {0};
	struct redactor r = {.secrets = &secrets, .sink = hear, .ctx = &h};

	(void)state;
	find_all(&secrets);
	redactor_feed(&r, 1, "k3q", 3);
	for (int i = 0; i < 70; i++) {
		char line[1024];

		memset(line, '.', sizeof(line));
		redactor_feed(&r, 2, line, sizeof(line));
	}
	assert_true(h.all.len > 64 * 1024);
	assert_ptr_equal(strstr(h.all.buf, "k3q"), NULL);
	redactor_finish(&r);
	heard_release(&h);
}

static void in_one_text(void **state)
{
	auto_strlist secrets = {0};
	char text[] = "join --token k3qxv7.p0s9d8f7\ng6h5j4k3 failed";

	(void)state;
	find_all(&secrets);
	secrets_blank(text, &secrets);
	assert_string_equal(text, "join --token ***************\n******** failed");
}

static void tokens_and_keys(void **state)
{
	char a[SECRET_TOKEN_SIZE], b[SECRET_TOKEN_SIZE], key[SECRET_KEY_SIZE];
	struct err err = {0};

	(void)state;
	assert_int_equal(secret_new_token(a, &err), 0);
	assert_int_equal(secret_new_token(b, &err), 0);
	assert_int_equal(strlen(a), 23);
	assert_int_equal(a[6], '.');
	assert_string_not_equal(a, b);
	assert_int_equal(secret_new_key(key, &err), 0);
	assert_int_equal(strspn(key, "0123456789abcdef"), 64);
}

/* Read twice by a program that inherits it; nothing has that name afterwards. */
static void documents_without_a_file(void **state)
{
	json_t *docs = json_pack("[{ss} {ss}]", "kind", "A", "token", TOKEN);
	const char *argv[] = {"sh", "-c", "cat \"$0\" \"$0\"", NULL, NULL};
	auto_strbuf out = {0};
	struct err err = {0};
	char path[32];
	int fd = secret_file(docs, path, &err);

	(void)state;
	assert_true(fd >= 0);
	argv[3] = path;
	assert_int_equal(proc_check(argv, NULL, &out, &err), 0);
	assert_int_equal(out.len % 2, 0);
	assert_memory_equal(out.buf, out.buf + out.len / 2, out.len / 2);
	assert_non_null(strstr(out.buf, TOKEN));
	assert_ptr_equal(strstr(out.buf, "---\n"), out.buf);
	close(fd);
	assert_int_equal(access(path, R_OK), -1);
	json_decref(docs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(secrets_of_the_documents),
	    cmocka_unit_test(any_cut_on_any_stream),
	    cmocka_unit_test(what_is_no_secret_stays),
	    cmocka_unit_test(what_is_held_back_has_a_bound),
	    cmocka_unit_test(in_one_text),
	    cmocka_unit_test(tokens_and_keys),
	    cmocka_unit_test(documents_without_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
