// SPDX-License-Identifier: Apache-2.0
#include "gomod.h"

#include "digest.h"
#include "err.h"
#include "mem.h"
#include "part.h"
#include "proc.h"
#include "strbuf.h"
#include "tree.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *member(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? xstrdup(value) : NULL;
}

int gomod_download(const char *path, const char *version, const char *const *env,
                   struct gomod_download *out, struct err *err)
{
	auto_free char *what = xasprintf("%s@%s", path, version);
	const char *const argv[] = {"go", "mod", "download", "-json", what, NULL};
	const struct proc_opts opts = {.dir = "/", .env = env};
	auto_strbuf said = {0}, words = {0};
	auto_free char *cause = NULL;
	struct gomod_download d;
	int status = proc_run(argv, &opts, &said, &words, err);
	json_t *json;

	if (status < 0)
		return -1;
	fputs(strbuf_str(&words), stderr);
	json = json_loadb(strbuf_str(&said), said.len, 0, NULL);
	d = (struct gomod_download){member(json, "Dir"), member(json, "Sum")};
	cause = member(json, "Error");
	json_decref(json);
	if (status == 0 && d.dir && d.sum && !cause) {
		*out = d;
		return 0;
	}
	gomod_download_release(&d);
	return err_set(err, "go has no module %s: %s", what,
	               cause       ? cause
	               : words.len ? strbuf_str(&words)
	                           : "no reason given");
}

/* "sha256:1f.." -> "h1:Hw.." */
static void to_h1(const struct digest *d, char out[static GOMOD_SUM_LEN + 1])
{
	unsigned char bytes[DIGEST_HEX_LEN / 2];
	unsigned byte;

	for (size_t i = 0; i < sizeof(bytes); i++) {
		sscanf(digest_hex(d) + 2 * i, "%2x", &byte);
		bytes[i] = (unsigned char)byte;
	}
	memcpy(out, "h1:", 3);
	EVP_EncodeBlock((unsigned char *)out + 3, bytes, sizeof(bytes));
}

/* golang.org/x/mod/sumdb/dirhash, Hash1: the digest of one line for each file. */
int gomod_check(const struct gomod_download *d, const char *path, const char *version,
                struct err *err)
{
	auto_strlist files = {0};
	auto_strbuf text = {0};
	char sum[GOMOD_SUM_LEN + 1];
	struct digest digest;

	if (tree_list(d->dir, &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.n; i++) {
		auto_free char *file = xasprintf("%s/%s", d->dir, files.v[i]);

		if (digest_file(file, &digest, NULL, err) < 0)
			return -1;
		strbuf_addf(&text, "%s  %s@%s/%s\n", digest_hex(&digest), path, version,
		            files.v[i]);
	}
	digest_data(strbuf_str(&text), text.len, &digest);
	to_h1(&digest, sum);
	if (strcmp(sum, d->sum) == 0)
		return 0;
	return err_set(err,
	               "the files of %s@%s in Go's cache are not those that were downloaded (%s): "
	               "somebody has changed them, or the disk has; go clean -modcache fetches all "
	               "anew",
	               path, version, d->dir);
}

void gomod_download_release(struct gomod_download *d)
{
	free(d->dir);
	free(d->sum);
}

/* Calls on_line for each line of text, without leading blanks. */
static void each_line(const char *text, void (*on_line)(void *ctx, const char *line), void *ctx)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		size_t blank = strspn(text, " \t");
		auto_free char *line = xstrndup(text + (blank < len ? blank : len),
		                                blank < len ? len - blank : 0);

		on_line(ctx, line);
		text += len + (text[len] == '\n');
	}
}

struct writer {
	struct strbuf *out;
	const char *staging; /* v0.37.2, or NULL */
	bool copy;           /* of the main module: go reads its requirements itself */
	bool in_godebug;     /* inside "godebug (" */
	bool has_go;
};

static void copy_directive(void *ctx, const char *line)
{
	struct writer *w = ctx;

	if (w->in_godebug || !strncmp(line, "godebug ", 8)) {
		strbuf_addf(w->out, "%s\n", line);
		w->in_godebug = w->in_godebug ? line[0] != ')' : strchr(line, '(') != NULL;
	} else if (!strncmp(line, "go ", 3)) {
		strbuf_addf(w->out, "%s\n", line);
		w->has_go = true;
	}
}

/*
 * "k8s.io/api v0.0.0" -> replace k8s.io/api => k8s.io/api v0.37.2. Without a copy it is required
 * too: go would not read the go.mod of a module that only another one requires, choose other
 * versions than upstream's build, and so compile anew what is there for the cluster's own programs.
 */
static void replace_staging(void *ctx, const char *line)
{
	const struct writer *w = ctx;
	char path[128], version[32], extra[3];
	int words = sscanf(line, "%127s %31s %2s", path, version, extra);

	if ((words != 2 && (words != 3 || strcmp(extra, "//") != 0)) ||
	    strcmp(version, "v0.0.0") != 0)
		return;
	if (!w->copy)
		strbuf_addf(w->out, "require %s v0.0.0\n", path);
	strbuf_addf(w->out, "replace %s => %s %s\n", path, path, w->staging);
}

/* Modules that are compiled from their copies. */
static void add_copies(const struct part *p, struct strbuf *out)
{
	for (size_t i = 0; i < p->modules.n; i++) {
		auto_free char *path = NULL, *version = NULL, *dir = part_copy_dir(i);

		part_module(p->modules.v[i], &path, &version);
		if (part_copies(p, i))
			strbuf_addf(out, "\nreplace %s => ../%s\n", path, dir);
	}
}

int gomod_write(const struct part *p, const char *upstream, struct strbuf *out, struct err *err)
{
	auto_free char *path = NULL, *version = NULL, *staging = NULL;
	struct writer w = {.out = out, .copy = part_copies(p, 0)};

	part_module(p->modules.v[0], &path, &version);
	strbuf_addf(out, "module kubecask.local/%s\n\n", p->name);
	each_line(upstream, copy_directive, &w);
	if (!w.has_go)
		return err_set(err, "go.mod of %s %s has no go line", path, version);
	strbuf_addch(out, '\n');
	for (size_t i = 0; i < p->modules.n; i++)
		strbuf_addf(out, "require %s\n", p->modules.v[i]);
	add_copies(p, out);
	if (!p->staging)
		return 0;
	if (strncmp(version, "v1.", 3) != 0)
		return err_set(err, "%s %s: its staging modules have no version", path, version);
	staging = xasprintf("v0.%s", version + 3);
	w.staging = staging;
	strbuf_addch(out, '\n');
	each_line(upstream, replace_staging, &w);
	return 0;
}
