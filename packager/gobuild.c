// SPDX-License-Identifier: Apache-2.0
#include "gobuild.h"

#include "conf.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "gomod.h"
#include "licence.h"
#include "lock.h"
#include "mem.h"
#include "part.h"
#include "patch.h"
#include "proc.h"
#include "strbuf.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* All that go reads from its environment and that would change the program. */
#define GO_ENV                                                                             \
	"GOFLAGS=", "GOTOOLCHAIN=local", "GOWORK=off", "GO111MODULE=on", "GOOS=linux",     \
	    "GOARCH=amd64", "GOAMD64=v1", "GOEXPERIMENT=", "GODEBUG=", "GOFIPS140=off",    \
	    "GOENV=off", "GOTELEMETRY=off",                                                \
	    "GOINSECURE=", "GOPRIVATE=", "GONOPROXY=", "GONOSUMDB=", "LC_ALL=C", "CC=gcc", \
	    "CGO_CPPFLAGS=", "CGO_CFLAGS=-O2",                                             \
	    "CGO_CXXFLAGS=", "CGO_FFLAGS=", "CGO_LDFLAGS=", "PKG_CONFIG=pkg-config",       \
	    "PKG_CONFIG_PATH=", "CPATH=", "C_INCLUDE_PATH=", "LIBRARY_PATH="

static const char *const env_plain[] = {GO_ENV, "CGO_ENABLED=0", NULL};
static const char *const env_cgo[] = {GO_ENV, "CGO_ENABLED=1", NULL};

/* Everything that a build reads from the part's directory: its sources, not its tests. */
static bool is_source(const char *name)
{
	size_t len = strlen(name);

	return len > 3 && !strcmp(name + len - 3, ".go") &&
	       (len < 8 || strcmp(name + len - 8, "_test.go") != 0);
}

static int add_file(struct strbuf *out, const char *path, struct err *err)
{
	struct digest d;

	if (digest_file(path, &d, NULL, err) < 0)
		return -1;
	strbuf_addf(out, "%s %s\n", strrchr(path, '/') + 1, d.str);
	return 0;
}

/* The part's own patches to module number i, then, for the main one, those of the series; full
 * paths. */
static void all_patches(const struct gobuild *g, size_t i, struct strlist *out)
{
	const char *name;
	size_t at = 0;

	while ((name = part_next_of(g->part, "patch", i, &at)))
		strlist_addf(out, "%s/%s", g->part->dir, name);
	for (size_t k = 0; i == 0 && k < g->patches->n; k++)
		strlist_add(out, g->patches->v[k]);
}

/*
 * Build tags: the part's own, and one for the minor of its main module, such as etcd_v3_5, by which
 * sources beside part.conf differ between minors. The caller's.
 */
static char *build_tags(const struct part *p)
{
	const char *own = conf_get(&p->conf, "tags");
	auto_free char *minor = part_minor(p, '_');

	return xasprintf("%s%s%s_%s", own ? own : "", own ? "," : "", p->name, minor);
}

int gobuild_inputs(const struct gobuild *g, struct strbuf *out, struct err *err)
{
	const struct part *p = g->part;
	auto_strlist names = {0}, patches = {0};
	auto_free char *tags = build_tags(p);
	const char *input;
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(env_cgo) - 2; i++)
		strbuf_addf(out, "%s\n", env_cgo[i]);
	strbuf_addf(out, "tags %s\n", tags);
	conf_write(&p->conf, out);
	if (fs_list(p->dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf("%s/%s", p->dir, names.v[i]);

		if (is_source(names.v[i]) && add_file(out, path, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < p->modules.n; i++)
		all_patches(g, i, &patches);
	for (size_t i = 0; i < patches.n; i++)
		if (patch_inputs(patches.v[i], out, err) < 0)
			return -1;
	while ((input = conf_next(&p->conf, "input", &at)))
		if (add_file(out, input, err) < 0)
			return err_wrap(err, "%s needs", p->name);
	return 0;
}

/* Notes an input in the record, and holds it against the lock when there is one. */
static int note(const struct gobuild *g, struct conf *record, const char *line, struct err *err)
{
	conf_set(record, "lock", line);
	return g->lock ? lock_check(g->lock, line, err) : 0;
}

/* Fetches all modules; their directories go to dirs, in the same order. */
static int fetch(const struct gobuild *g, struct conf *record, struct strlist *dirs,
                 struct err *err)
{
	for (size_t i = 0; i < g->part->modules.n; i++) {
		struct gomod_download d;
		auto_free char *path = NULL, *version = NULL, *line = NULL;
		int rc;

		part_module(g->part->modules.v[i], &path, &version);
		if (gomod_download(path, version, env_plain, &d, err) < 0)
			return -1;
		line = xasprintf("module %s %s %s", path, version, d.sum);
		rc = note(g, record, line, err);
		if (rc == 0)
			rc = gomod_check(&d, path, version, err);
		if (i == 0)
			conf_set(record, "module-dir", d.dir);
		strlist_add(dirs, d.dir);
		gomod_download_release(&d);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* "package main" of upstream's programs becomes an importable package with a function Main. */
static int make_importable(const struct gobuild *g, size_t i, const char *copy, struct err *err)
{
	const char *dir;
	size_t at = 0;

	while ((dir = part_next_of(g->part, "mains", i, &at))) {
		auto_free char *path = xasprintf("%s/%s", copy, dir);

		if (tree_make_importable(path, err) < 0)
			return -1;
	}
	return 0;
}

static int copy_module(const struct gobuild *g, size_t i, const char *from, const char *to,
                       struct err *err)
{
	auto_strlist patches = {0};

	if (tree_copy(from, to, err) < 0)
		return -1;
	all_patches(g, i, &patches);
	for (size_t k = 0; k < patches.n; k++)
		if (patch_is_patch(patches.v[k]) ? patch_apply(to, patches.v[k], err) < 0
		                                 : tree_copy(patches.v[k], to, err) < 0)
			return -1;
	return make_importable(g, i, to, err);
}

static int copy_modules(const struct gobuild *g, const struct strlist *dirs, const char *src,
                        struct err *err)
{
	for (size_t i = 0; i < dirs->n; i++) {
		auto_free char *name = part_copy_dir(i), *to = xasprintf("%s/%s", src, name);

		if (part_copies(g->part, i) && copy_module(g, i, dirs->v[i], to, err) < 0)
			return -1;
	}
	return 0;
}

static int copy_sources(const struct part *p, const char *main, struct err *err)
{
	auto_strlist names = {0};

	if (fs_mkdir_p(main, 0755, err) < 0 || fs_list(p->dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *from = xasprintf("%s/%s", p->dir, names.v[i]);
		auto_free char *to = xasprintf("%s/%s", main, names.v[i]);

		if (is_source(names.v[i]) && fs_copy(from, to, err) < 0)
			return -1;
	}
	return 0;
}

static int write_gomod(const struct part *p, const char *module_dir, const char *main,
                       struct err *err)
{
	auto_free char *from = xasprintf("%s/go.mod", module_dir);
	auto_free char *to = xasprintf("%s/go.mod", main);
	auto_strbuf upstream = {0}, text = {0};

	if (fs_read(from, CONF_MAX, &upstream, err) < 0)
		return -1;
	if (gomod_write(p, strbuf_str(&upstream), &text, err) < 0)
		return -1;
	return fs_write_atomic(to, strbuf_str(&text), text.len, 0644, err);
}

/* Runs go with its words on stderr, the step's log; what it prints is appended to out. */
static int go(const struct gobuild *g, const char *const argv[], const char *dir, const char *what,
              struct strbuf *out, struct err *err)
{
	const struct proc_opts opts = {.dir = dir, .env = g->part->cgo ? env_cgo : env_plain};
	auto_strbuf said = {0};
	int status = proc_run(argv, &opts, out, &said, err);

	fputs(strbuf_str(&said), stderr);
	if (status > 0)
		return err_set(err, "go could not %s (exit status %d)", what, status);
	return status;
}

static void add_words(struct strlist *l, const char *const *words)
{
	for (; *words; words++)
		strlist_add(l, *words);
}

/* Completes go.mod and go.sum; the latter pins every module that takes part. linked gets the module
 * of each package that will be linked, as licence.h has it. */
static int resolve(const struct gobuild *g, const char *main, struct conf *record,
                   struct strbuf *linked, struct err *err)
{
	static const char format[] = "{{with .Module}}{{.Path}} {{.Version}} {{.Dir}}{{end}}";
	auto_free char *tags = build_tags(g->part);
	const char *const verify[] = {"go", "mod", "verify", NULL};
	const char *const list[] = {"go", "list", "-mod=mod", "-deps", "-tags",
	                            tags, "-f",   format,     NULL};
	auto_strlist argv = {0};
	auto_free char *sum = xasprintf("%s/go.sum", main), *line = NULL;
	auto_strbuf verified = {0};
	struct digest d;

	add_words(&argv, list);
	if (g->part->test)
		strlist_add(&argv, "-test");
	strlist_add(&argv, g->part->package);
	if (go(g, (const char *const *)argv.v, main, "find the modules", linked, err) < 0)
		return -1;
	if (!fs_exists(sum) && fs_write_atomic(sum, "", 0, 0644, err) < 0) /* no other module */
		return -1;
	if (digest_file(sum, &d, NULL, err) < 0)
		return -1;
	line = xasprintf("gosum %s - %s", g->part->name, d.str);
	if (note(g, record, line, err) < 0)
		return -1;
	/* go compiles what lies in its cache, and by itself looks at zip files alone */
	if (go(g, verify, main, "find the modules in its cache as they were downloaded", &verified,
	       err) < 0)
		return err_wrap(err, "the log names them; go clean -modcache fetches all anew");
	return 0;
}

static int compile(const struct gobuild *g, const char *main, struct conf *record, struct err *err)
{
	auto_free char *tags = build_tags(g->part);
	const char *more;
	auto_free char *file = xasprintf("%s/bin/%s-%s", g->work, g->part->name, g->key);
	auto_free char *temp = xasprintf("%s.tmp", file), *size = NULL;
	auto_strbuf ld = {0}, said = {0};
	struct digest d;
	uint64_t bytes;
	size_t at = 0;

	strbuf_addstr(&ld, "-s -w -buildid=");
	while ((more = conf_next(&g->part->conf, "ldflags", &at)))
		strbuf_addf(&ld, " %s", more);
	const char *const build[] = {"go", "build", NULL};
	const char *const test[] = {"go", "test", "-c", "-vet=off", NULL};
	const char *const options[] = {"-trimpath",
	                               "-buildvcs=false",
	                               "-mod=readonly",
	                               "-tags",
	                               tags,
	                               "-ldflags",
	                               strbuf_str(&ld),
	                               "-o",
	                               temp,
	                               g->part->package,
	                               NULL};
	auto_strlist argv = {0};

	add_words(&argv, g->part->test ? test : build);
	add_words(&argv, options);
	if (go(g, (const char *const *)argv.v, main, "compile it", &said, err) < 0)
		return -1;
	if (rename(temp, file) < 0)
		return err_set(err, "rename to %s failed", file);
	if (digest_file(file, &d, &bytes, err) < 0)
		return -1;
	size = xasprintf("%llu", (unsigned long long)bytes);
	conf_set(record, "file", file);
	conf_set(record, "size", size);
	conf_set(record, "digest", d.str);
	return 0;
}

/* The modules that are linked, and their licences in a file beside the program. */
static int collect_licences(const struct gobuild *g, const char *main, const char *linked,
                            struct conf *record, struct err *err)
{
	auto_free char *file = xasprintf("%s/bin/%s-%s.licences", g->work, g->part->name, g->key);
	const char *const root[] = {"go", "env", "GOROOT", "GOVERSION", NULL};
	auto_strbuf where = {0}, text = {0};
	const char *version;
	char *end;
	struct digest d;

	if (go(g, root, main, "say where it lies", &where, err) < 0)
		return -1;
	end = strchr(strbuf_str(&where), '\n');
	if (!end)
		return err_set(err, "go does not say where it lies");
	*end = '\0';
	version = end + 1;
	end[1 + strcspn(version, "\n")] = '\0';
	if (licence_collect(linked, where.buf, version, record, &text, err) < 0 ||
	    fs_write_atomic(file, strbuf_str(&text), text.len, 0644, err) < 0)
		return -1;
	digest_data(strbuf_str(&text), text.len, &d);
	conf_set(record, "licences", file);
	conf_set(record, "licences-digest", d.str);
	return 0;
}

int gobuild_run(const struct gobuild *g, struct conf *record, struct err *err)
{
	auto_free char *src = xasprintf("%s/src/%s", g->work, g->part->name);
	auto_free char *main = xasprintf("%s/main", src), *bin = xasprintf("%s/bin", g->work);
	auto_strlist dirs = {0};
	auto_strbuf linked = {0};

	if (fs_remove_tree(src, err) < 0 || fs_mkdir_p(bin, 0755, err) < 0)
		return -1;
	if (fetch(g, record, &dirs, err) < 0 || copy_modules(g, &dirs, src, err) < 0)
		return -1;
	if (copy_sources(g->part, main, err) < 0 ||
	    write_gomod(g->part, conf_get(record, "module-dir"), main, err) < 0)
		return -1;
	if (resolve(g, main, record, &linked, err) < 0 || compile(g, main, record, err) < 0 ||
	    collect_licences(g, main, strbuf_str(&linked), record, err) < 0)
		return -1;
	return fs_remove_tree(src, err);
}
