// SPDX-License-Identifier: Apache-2.0
#include "trust.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEVEL_MAX 4096

/* ---- what is trusted ---- */

static char *beside_program(void)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	return xasprintf("%s/keys", self);
}

static bool is_key(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, ".pub") == 0;
}

static int load_keys(struct trust *t, struct err *err)
{
	auto_strlist names = {0};

	if (fs_list(t->dir, &names, err) < 0)
		return -1;
	t->keys = xcalloc(names.n + 1, sizeof(*t->keys));
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf("%s/%s", t->dir, names.v[i]);

		if (!is_key(names.v[i]))
			continue;
		if (minisig_key_read(path, &t->keys[t->n], err) < 0)
			return -1;
		t->n++;
	}
	t->need = t->n > 0;
	return 0;
}

static int take_word(struct trust *t, const char *word, const char *from, struct err *err)
{
	unsigned n = 1;
	char more;

	if (strcmp(word, "sbom") == 0) {
		t->sbom = true;
		return 0;
	}
	if (strcmp(word, "signed") != 0 &&
	    (sscanf(word, "signed=%u%c", &n, &more) != 1 || n == 0 || n > 1000))
		return err_set_code(
		    err, EXIT_USAGE,
		    "%s: \"%s\" is none of \"signed\", \"signed=2\" (by so many of the "
		    "keys) and \"sbom\"",
		    from, word);
	t->need = n > t->need ? n : t->need;
	return 0;
}

/* Words with commas, blanks or line ends between them. */
static int take_level(struct trust *t, const char *level, const char *from, struct err *err)
{
	static const char between[] = ", \t\r\n";

	for (level += strspn(level, between); *level; level += strspn(level, between)) {
		auto_free char *word = xstrndup(level, strcspn(level, between));

		level += strlen(word);
		if (take_word(t, word, from, err) < 0)
			return -1;
	}
	return 0;
}

static int load_require(struct trust *t, struct err *err)
{
	auto_free char *path = xasprintf("%s/require", t->dir);
	auto_strbuf text = {0};

	if (!fs_exists(path))
		return 0;
	return fs_read(path, LEVEL_MAX, &text, err) < 0
	           ? -1
	           : take_level(t, strbuf_str(&text), path, err);
}

int trust_load(const char *dir, const char *level, struct trust *out, struct err *err)
{
	struct trust *t = out;

	t->dir = dir ? xstrdup(dir) : beside_program();
	if (!dir && (!t->dir || !fs_exists(t->dir))) {
		free(t->dir);
		t->dir = fs_exists(TRUST_DIR) ? xstrdup(TRUST_DIR) : NULL;
	}
	if (t->dir && (load_keys(t, err) < 0 || load_require(t, err) < 0))
		return -1;
	if (dir && !t->n)
		return err_set_code(err, EXIT_USAGE, "--keys: %s has no public key (*.pub)", dir);
	return level ? take_level(t, level, "--require", err) : 0;
}

void trust_release(struct trust *t)
{
	free(t->dir);
	free(t->keys);
	*t = (struct trust){0};
}

/* ---- a bundle ---- */

static const char *signature_by(const struct strlist *signatures, const char *id)
{
	char by[MINISIG_ID_LEN + 1];

	for (size_t i = 0; i < signatures->n; i++)
		if (minisig_id(signatures->v[i], by) && strcmp(by, id) == 0)
			return signatures->v[i];
	return NULL;
}

static int refuse(const struct trust *t, const struct strlist *signatures, size_t good,
                  struct err *err)
{
	auto_strbuf others = {0};
	char by[MINISIG_ID_LEN + 1];

	for (size_t i = 0; i < signatures->n; i++)
		if (minisig_id(signatures->v[i], by))
			strbuf_addf(&others, "%s%s", others.len ? ", " : "", by);
	if (!t->n)
		return err_set_code(
		    err, EXIT_BAD_BUNDLE,
		    "a signature is wanted, and there is no key to check it with: "
		    "put *.pub files into keys beside this program, or into " TRUST_DIR);
	return err_set_code(
	    err, EXIT_BAD_BUNDLE,
	    "signed by %zu of the keys in %s, where %u are wanted (it has signatures "
	    "of: %s): take a bundle that they have signed; --insecure-unsigned takes "
	    "this one all the same",
	    good, t->dir, t->need, others.len ? strbuf_str(&others) : "nobody");
}

int trust_check(const struct trust *t, const struct strlist *signatures,
                const struct strbuf *index_json, struct strlist *signers, struct err *err)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct minisig_key *k = &t->keys[i];
		const char *signature = signature_by(signatures, k->id);
		struct err why = {0};

		if (!signature || strlist_has(signers, k->id)) /* a key that is there twice */
			continue;
		if (minisig_verify(k, index_json->buf, index_json->len, signature, &why) < 0)
			return err_set_code(err, EXIT_BAD_BUNDLE, "its signature of key %s: %s",
			                    k->id, why.msg);
		strlist_add(signers, k->id);
	}
	if (signers->n >= t->need || t->insecure)
		return 0;
	return refuse(t, signatures, signers->n, err);
}
