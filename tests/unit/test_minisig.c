// SPDX-License-Identifier: Apache-2.0
/* Signatures and keys of minisign's format. (With its own tool: tests/cli/signatures.bats.) */
#include "minisig.h"

#include "err.h"
#include "tempfile.h"

#define DATA "index"
struct signed_data {
	struct minisig_secret *secret;
	struct minisig_key key;
	char *text;
};

static void make(struct signed_data *s)
{
	char dir[] = "/tmp/kubecask-test.XXXXXX";
	struct err err = {0};

	assert_non_null(mkdtemp(dir));
	auto_free char *path = xasprintf("%s/key", dir);

	s->secret = minisig_secret_make(path, &err);
	assert_non_null(s->secret);
	assert_null(minisig_secret_make(path, &err)); /* what is there stays */
	minisig_secret_public(s->secret, &s->key);
	s->text = minisig_sign(s->secret, DATA, strlen(DATA), "timestamp:1\tfile:index.json", &err);
	assert_non_null(s->text);
	assert_int_equal(fs_remove_tree(dir, &err), 0);
}

static void drop(struct signed_data *s)
{
	minisig_secret_free(s->secret);
	free(s->text);
}

static void there_and_back(void **state)
{
	struct signed_data s;
	struct minisig_key again;
	char id[MINISIG_ID_LEN + 1];
	struct err err = {0};

	(void)state;
	make(&s);
	assert_int_equal(minisig_verify(&s.key, DATA, strlen(DATA), s.text, &err), 0);
	assert_true(minisig_id(s.text, id));
	assert_string_equal(id, s.key.id);
	auto_free char *public = minisig_key_text(&s.key);

	assert_int_equal(minisig_key_read(temp_file(public), &again, &err), 0);
	assert_memory_equal(&again, &s.key, sizeof(again));
	drop(&s);
}

static void refused(const struct minisig_key *k, const char *data, const char *text,
                    const char *words)
{
	struct err err = {0};

	assert_int_equal(minisig_verify(k, data, strlen(data), text, &err), -1);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\" is not in \"%s\"", words, err.msg);
}

/* Each bit of the text: nothing that differs is taken, but for the comment that nobody signs. */
static void every_bit(void **state)
{
	struct signed_data s;
	struct err err = {0};

	(void)state;
	make(&s);
	auto_free char *copy = xstrdup(s.text);
	size_t untrusted = strlen("untrusted comment: "), end = strcspn(copy, "\n");

	for (size_t i = 0; copy[i]; i++)
		for (int bit = 0; bit < 8; bit++) {
			copy[i] ^= (char)(1 << bit);
			if (i < untrusted || i > end)
				assert_int_equal(
				    minisig_verify(&s.key, DATA, strlen(DATA), copy, &err), -1);
			copy[i] ^= (char)(1 << bit);
		}
	for (size_t len = 0; len < strlen(copy) - 1; len++) {
		auto_free char *part = xstrndup(copy, len);

		assert_int_equal(minisig_verify(&s.key, DATA, strlen(DATA), part, &err), -1);
	}
	drop(&s);
}

/* The text with one line of another. */
static char *with_line(const char *text, int line, const char *from)
{
	auto_strbuf out = {0};

	for (int i = 0; *text; i++) {
		size_t a = strcspn(text, "\n"), b = strcspn(from, "\n");

		strbuf_add(&out, i == line ? from : text, i == line ? b : a);
		strbuf_addch(&out, '\n');
		text += a + 1;
		from += b + 1;
	}
	return strbuf_detach(&out);
}

static void of_something_else(void **state)
{
	struct signed_data s, other;
	struct minisig_key zero = {0};
	struct err err = {0};

	(void)state;
	make(&s);
	make(&other);
	refused(&s.key, "indey", s.text, "it does not fit what is signed");
	refused(&other.key, DATA, s.text, "made with key ");
	auto_free char *comment = minisig_sign(s.secret, "other", 5, "timestamp:2", &err);
	auto_free char *swapped = with_line(s.text, 2, comment);
	auto_free char *both = with_line(swapped, 3, comment);
	auto_free char *first = with_line(s.text, 1, comment);

	refused(&s.key, DATA, swapped, "its trusted comment was changed");
	refused(&s.key, DATA, both, "its trusted comment was changed");
	refused(&s.key, DATA, first, "it does not fit what is signed");
	/* a key of small order, for which some programs take anything */
	memcpy(zero.id, s.key.id, sizeof(zero.id));
	refused(&zero, DATA, s.text, "");
	zero.bytes[0] = 1;
	refused(&zero, DATA, s.text, "");
	drop(&s);
	drop(&other);
}

static void the_old_format(void **state)
{
	struct signed_data s;

	(void)state;
	make(&s);
	auto_free char *old = xstrdup(s.text);
	char *line = strchr(old, '\n') + 1;

	assert_memory_equal(line, "RU", 2); /* "ED": the third character has bits of the id */
	line[1] = 'W';                      /* "Ed" */
	refused(&s.key, DATA, old, "of the old format");
	drop(&s);
}

static void what_is_none(void **state)
{
	static const char *const texts[] = {
	    "",
	    "\n",
	    "untrusted comment: x\n",
	    "RUQ=\n",
	    "untrusted comment: x\nRWQ\n",
	    "untrusted comment: x\n\n",
	    "comment: x\nRWRhxdkgUwWaPz3b35zjo+AN0dyk3FVEE8vTPgHEnFbmWweto6Bba1hc\n"};
	struct minisig_key k;
	char id[MINISIG_ID_LEN + 1];
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_false(minisig_id(texts[i], id));
		assert_int_equal(minisig_key_read(temp_file(texts[i]), &k, &err), -1);
		assert_non_null(strstr(err.msg, ": no public key of minisign's format"));
		assert_null(minisig_secret_read(temp_file(texts[i]), &err));
		assert_non_null(strstr(err.msg, ": no Ed25519 key in PEM"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(there_and_back),    cmocka_unit_test(every_bit),
	    cmocka_unit_test(of_something_else), cmocka_unit_test(the_old_format),
	    cmocka_unit_test(what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
