// SPDX-License-Identifier: Apache-2.0
#include "imageset.h"

#include "bundle.h"
#include "conf.h"
#include "content.h"
#include "err.h"
#include "fs.h"
#include "layer.h"
#include "mem.h"
#include "plan.h"
#include "proc.h"
#include "strbuf.h"

#include <stdio.h>
#include <string.h>

#define LISTER          "e2e"
#define LIST_DEADLINE_S 120
#define LAYERS_MAX      12
#define WORDS_MAX       8

/* Where the tree that --tree names was made; borrowed, or NULL. */
static const char *find_tree(const struct settings *set, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < set->trees.n; i++)
		if (!strncmp(set->trees.v[i], name, len) && set->trees.v[i][len] == '=')
			return set->trees.v[i] + len + 1;
	return NULL;
}

/* Of "PART PATH" the step that compiles the part, and the path in its main module. */
static struct step *find_source(const struct plan *p, const char *value, const char **path,
                                struct err *err)
{
	auto_free char *part = xstrndup(value, strcspn(value, " "));
	struct step *compiled = plan_compiled(p, part);

	*path = value + strlen(part) + 1;
	if (!compiled || !strchr(value, ' ') || !strchr(*path, '/')) {
		err_set(err, "\"file = %s\": not a part and a path in its module", value);
		return NULL;
	}
	return compiled;
}

/* The file comes to the top of the layer. */
static int add_module_file(const struct plan *p, const char *value, struct layer *out,
                           struct err *err)
{
	const char *path;
	const struct step *compiled = find_source(p, value, &path, err);
	auto_free char *from = NULL;

	if (!compiled)
		return -1;
	from = xasprintf("%s/%s", step_value(compiled, "module-dir"), path);
	layer_file(out, strrchr(path, '/') + 1, 0644, from, NULL);
	return 0;
}

/* "PATH TARGET" */
static int add_link(const char *value, struct layer *out, struct err *err)
{
	auto_free char *path = xstrndup(value, strcspn(value, " "));

	if (!value[strlen(path)])
		return err_set(err, "\"link = %s\": not a path and a target", value);
	layer_link(out, path, value + strlen(path) + 1);
	return 0;
}

static int add_trees(const struct plan *p, const char *path, struct layer *out, struct err *err)
{
	auto_conf conf = {0};
	const char *value;
	size_t at = 0;

	if (!fs_exists(path))
		return 0;
	if (conf_load(path, &conf, err) < 0)
		return -1;
	while ((value = conf_next(&conf, "tree", &at))) {
		const char *dir = find_tree(p->set, value);

		if (!dir)
			return err_set(err, "%s: no --tree %s=DIR was given", path, value);
		if (layer_tree(out, dir, err) < 0)
			return -1;
	}
	at = 0;
	while ((value = conf_next(&conf, "file", &at)))
		if (add_module_file(p, value, out, err) < 0)
			return err_wrap(err, "%s", path);
	at = 0;
	while ((value = conf_next(&conf, "link", &at)))
		if (add_link(value, out, err) < 0)
			return err_wrap(err, "%s", path);
	return 0;
}

static int fill_layer(const struct plan_layer *l, struct layer *out, struct err *err)
{
	auto_free char *dir = xasprintf("%s/layers/%s", l->plan->set->images, l->name);
	auto_free char *trees = xasprintf("%s/tree.conf", dir);
	auto_free char *root = xasprintf("%s/root", dir);

	if (l->part && content_program(l, out, err) < 0)
		return -1;
	if (!l->part && l->source && layer_tree(out, step_value(l->source, "tree"), err) < 0)
		return -1;
	if (add_trees(l->plan, trees, out, err) < 0)
		return -1;
	return fs_exists(root) ? layer_tree(out, root, err) : 0;
}

static int list_inputs(struct step *s, struct strbuf *out, struct err *err)
{
	(void)err;
	strbuf_addf(out, "%s\n", step_value(s->deps[0], "digest"));
	return 0;
}

static int list_run(struct step *s, struct err *err)
{
	const char *const argv[] = {step_value(s->deps[0], "file"), "--list-images", NULL};
	const struct proc_opts opts = {.timeout_s = LIST_DEADLINE_S};
	auto_strbuf out = {0}, said = {0};
	auto_strlist images = {0};
	int status = proc_run(argv, &opts, &out, &said, err);

	fputs(strbuf_str(&said), stderr);
	if (status)
		return status < 0 ? -1 : err_set(err, "--list-images: exit status %d", status);
	for (char *line = out.buf ? strtok(out.buf, "\n") : NULL; line; line = strtok(NULL, "\n"))
		strlist_add(&images, line);
	strlist_sort(&images); /* Go prints a map in another order each time */
	for (size_t i = 0; i < images.n; i++)
		conf_set(&s->record, "image", images.v[i]);
	return images.n ? 0 : err_set(err, "--list-images names no image");
}

static int add_programs(struct plan *p, struct err *err)
{
	auto_free char *dir = xasprintf("%s/programs", p->set->images);
	auto_strlist names = {0};

	if (fs_list(dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (!plan_add_part(p, dir, names.v[i], err))
			return -1;
	if (!plan_compiled(p, LISTER))
		return err_set(err, "%s: no program \"" LISTER "\"", dir);
	p->images = plan_add_step(p, "list", "images of the tests", p, list_inputs, list_run);
	step_needs(p->images, plan_compiled(p, LISTER));
	return 0;
}

/* A directory below layers/. */
static int add_layer(struct plan *p, const char *dir, const char *name, struct err *err)
{
	auto_free char *part_conf = xasprintf("%s/%s/part.conf", dir, name);
	auto_free char *debs_conf = xasprintf("%s/%s/debs.conf", dir, name);
	const struct part *part = NULL;
	struct step *source = NULL;

	if (fs_exists(part_conf)) {
		part = plan_add_part(p, dir, name, err);
		source = part ? plan_compiled(p, name) : NULL;
		if (!source)
			return -1;
	} else if (fs_exists(debs_conf)) {
		source = plan_add_debs(p, dir, name, err);
		if (!source)
			return -1;
	}
	plan_add_layer(p, plan_keep(p, name), part, source, fill_layer);
	return 0;
}

/* A layer with files of modules waits until they are there. */
static int bind_files(const struct plan *p, const struct plan_layer *l, const char *dir,
                      struct err *err)
{
	auto_free char *path = xasprintf("%s/%s/tree.conf", dir, l->name);
	auto_conf conf = {0};
	const char *value, *file;
	size_t at = 0;

	if (!fs_exists(path))
		return 0;
	if (conf_load(path, &conf, err) < 0)
		return -1;
	while ((value = conf_next(&conf, "file", &at))) {
		struct step *compiled = find_source(p, value, &file, err);

		if (!compiled)
			return err_wrap(err, "%s", path);
		if (compiled != l->source)
			step_needs(l->step, compiled);
	}
	return 0;
}

int imageset_plan(const struct settings *set, const char *version, struct plan *out,
                  struct err *err)
{
	auto_free char *lock = xasprintf("%s/locks/%s.lock", set->images, version);
	auto_free char *layers = xasprintf("%s/layers", set->images);
	auto_strlist names = {0};

	if (plan_open(set, version, lock, out, err) < 0 || add_programs(out, err) < 0 ||
	    fs_list(layers, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (add_layer(out, layers, names.v[i], err) < 0)
			return -1;
	for (size_t i = 0; i < out->n_layers; i++)
		if (bind_files(out, &out->layers[i], layers, err) < 0)
			return -1;
	plan_add_layer(out, "base", NULL, NULL, content_base);
	return 0;
}

/* "registry.k8s.io/tests/agnhost:2.55" -> "tests/agnhost"; the caller's. */
static char *repository(const char *ref)
{
	const char *slash = strchr(ref, '/'), *path = slash ? slash + 1 : ref;

	return xstrndup(path, strcspn(path, ":"));
}

static bool answers_to(const struct conf *image, const char *name)
{
	const char *value;
	size_t at = 0;

	while ((value = conf_next(image, "name", &at)))
		if (!strcmp(value, name))
			return true;
	return false;
}

static int add_image(const struct plan *p, struct bundle *b, const struct conf *conf,
                     const char *ref, struct err *err)
{
	struct bundle_layer layers[LAYERS_MAX];
	const char *cmd[WORDS_MAX + 1] = {NULL}, *value, *source = conf_need(conf, "source", err);
	struct bundle_image image = {.ref = ref,
	                             .role = OCI_ROLE_ALL,
	                             .entrypoint = conf_get(conf, "entrypoint"),
	                             .user = conf_get(conf, "user"),
	                             .version = strrchr(ref, ':') + 1,
	                             .layers = layers};
	size_t at = 0, n = 0;

	if (!source)
		return -1;
	while ((value = conf_next(conf, "layer", &at))) {
		if (image.n_layers == LAYERS_MAX)
			return err_set(err, "%s: more than %d layers", conf->name, LAYERS_MAX);
		if (plan_get_layer(p, value, &layers[image.n_layers++], err) < 0)
			return err_wrap(err, "%s", conf->name);
	}
	at = 0;
	while (n < WORDS_MAX && (value = conf_next(conf, "cmd", &at)))
		cmd[n++] = value;
	image.cmd = n ? cmd : NULL;
	printf("%-60s %s\n", ref, source);
	return bundle_add_image(b, &image, err);
}

/* All of DIR/images; released by the caller also on failure. */
static int load_images(const char *dir, struct conf **out, size_t *n, struct err *err)
{
	auto_strlist names = {0};

	if (fs_list(dir, &names, err) < 0)
		return -1;
	*out = xcalloc(names.n + 1, sizeof(**out));
	for (; *n < names.n; (*n)++) {
		auto_free char *path = xasprintf("%s/%s", dir, names.v[*n]);

		if (conf_load(path, &(*out)[*n], err) < 0)
			return -1;
	}
	return 0;
}

static int add_listed(const struct plan *p, struct bundle *b, const struct conf *image, size_t n,
                      struct err *err)
{
	auto_strbuf others = {0};
	const char *ref;
	size_t at = 0, made = 0;

	while ((ref = conf_next(&p->images->record, "image", &at))) {
		auto_free char *name = repository(ref);
		size_t i = 0;

		while (i < n && !answers_to(&image[i], name))
			i++;
		if (i == n || !strchr(ref, ':')) {
			strbuf_addf(&others, " %s", name);
			continue;
		}
		if (add_image(p, b, &image[i], ref, err) < 0)
			return -1;
		made++;
	}
	if (!made)
		return err_set(err, "none of the images that are listed has a description");
	printf("not made:%s\n", strbuf_str(&others));
	return 0;
}

int imageset_fill(const struct plan *p, struct bundle *b, struct err *err)
{
	auto_free char *dir = xasprintf("%s/images", p->set->images);
	struct conf *image = NULL;
	size_t n = 0;
	int rc = load_images(dir, &image, &n, err);

	b->epoch = p->release.epoch;
	if (rc == 0)
		rc = add_listed(p, b, image, n, err);
	for (size_t i = 0; i < n; i++)
		conf_release(&image[i]);
	mem_auto_free(&image);
	return rc;
}

static int copy_programs(const struct plan *p, struct err *err)
{
	auto_free char *dir = xasprintf("%s/programs", p->set->images);

	for (size_t i = 0; i < p->n_parts; i++) {
		auto_free char *in_set = xasprintf("%s/%s", dir, p->parts[i].name);
		auto_free char *to = xasprintf("%s/%s", p->set->out, p->parts[i].output);

		if (!strcmp(in_set, p->parts[i].dir) &&
		    fs_copy(step_value(p->compiled[i], "file"), to, err) < 0)
			return -1;
	}
	return 0;
}

int imageset_write(const struct plan *p, struct bundle *b, struct err *err)
{
	const char *slash = strrchr(p->set->images, '/');
	auto_free char *name = xasprintf("%s-%s-linux-amd64.tar", slash ? slash + 1 : "images",
	                                 p->release.version);
	auto_free char *path = xasprintf("%s/%s", p->set->out, name);
	struct digest digest;
	uint64_t total;

	if (fs_mkdir_p(p->set->out, 0755, err) < 0 || copy_programs(p, err) < 0 ||
	    bundle_write(b, path, &digest, &total, err) < 0)
		return -1;
	printf("%.2f MB  %s\n", (double)total / 1e6, path);
	return bundle_write_sum(path, &digest, err);
}
