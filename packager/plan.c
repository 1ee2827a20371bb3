// SPDX-License-Identifier: Apache-2.0
#include "plan.h"

#include "bundle.h"
#include "content.h"
#include "deb.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "gobuild.h"
#include "kubeadm.h"
#include "layer.h"
#include "mem.h"
#include "patch.h"
#include "sources.h"
#include "tools.h"
#include "zst.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* In the order in which they are begun: the longest first. */
static const char *const part_names[] = {"kube", "containerd", "coredns", "flannel",
                                         "etcd", "runc",       "shim",    "cni"};

struct compile_ctx {
	struct plan *plan;
	const struct part *part;
};

static const struct lock *lock_of(const struct plan *p)
{
	return p->set->update_lock ? NULL : &p->release.lock;
}

static struct gobuild gobuild_of(const struct step *s)
{
	static struct strlist none;
	const struct compile_ctx *c = s->ctx;
	struct plan *p = c->plan;

	return (struct gobuild){
	    .part = c->part,
	    .lock = lock_of(p),
	    .work = p->set->work,
	    .patches = c->part->series ? &p->patches : &none,
	    .key = s->key,
	};
}

static int compile_inputs(struct step *s, struct strbuf *out, struct err *err)
{
	const struct compile_ctx *c = s->ctx;
	struct gobuild g = gobuild_of(s);

	strbuf_addf(out, "%s\n%s\n", sources_gobuild, conf_get(&c->plan->env, "go"));
	if (c->part->cgo)
		strbuf_addf(out, "%s\n", conf_get(&c->plan->env, "gcc"));
	return gobuild_inputs(&g, out, err);
}

static int compile_run(struct step *s, struct err *err)
{
	struct gobuild g = gobuild_of(s);

	return gobuild_run(&g, &s->record, err);
}

static int debs_inputs(struct step *s, struct strbuf *out, struct err *err)
{
	const struct plan_debs *d = s->ctx;
	const struct plan *p = d->plan;

	(void)err;
	strbuf_addf(out, "%s\n", sources_all);
	conf_write(&d->conf, out);
	if (p->set->update_lock) { /* today's packages: no result of an earlier run has them */
		strbuf_addf(out, "%lld\n", p->began);
		return 0;
	}
	for (size_t i = 0; i < p->release.lock.n; i++)
		if (!strncmp(p->release.lock.line[i], "deb ", 4))
			strbuf_addf(out, "%s\n", p->release.lock.line[i]);
	return 0;
}

static int debs_step(struct step *s, struct err *err)
{
	const struct plan_debs *from = s->ctx;
	struct debs d = {.conf = &from->conf,
	                 .lock = lock_of(from->plan),
	                 .name = from->name,
	                 .work = from->plan->set->work,
	                 .key = s->key};

	return debs_run(&d, &s->record, err);
}

static int images_inputs(struct step *s, struct strbuf *out, struct err *err)
{
	const struct plan *p = s->ctx;

	(void)err;
	strbuf_addf(out, "%s\n%s\n%s\n", sources_all,
	            step_value(plan_compiled(p, "kube"), "digest"), p->release.version);
	return 0;
}

static int images_run(struct step *s, struct err *err)
{
	const struct plan *p = s->ctx;

	return kubeadm_list_images(step_value(plan_compiled(p, "kube"), "file"), p->release.version,
	                           p->set->work, &s->record, err);
}

static int fill(const struct step *s, struct layer *out, struct err *err)
{
	const struct plan_layer *l = s->ctx;

	if (l->fill(l, out, err) < 0)
		return -1;
	layer_close(out);
	return 0;
}

static int layer_step_inputs(struct step *s, struct strbuf *out, struct err *err)
{
	const struct plan_layer *l = s->ctx;
	struct layer layer = {0};
	int rc = fill(s, &layer, err);

	strbuf_addf(out, "%s\nzstd %s level %u epoch %lld\n", sources_all, zst_version(),
	            l->plan->set->level, l->plan->release.epoch);
	if (rc == 0)
		rc = layer_inputs(&layer, out, err);
	layer_release(&layer);
	return rc;
}

static int layer_step_run(struct step *s, struct err *err)
{
	const struct plan_layer *l = s->ctx;
	auto_free char *blobs = xasprintf("%s/blobs", l->plan->set->work);
	struct layer layer = {0};
	int rc = fill(s, &layer, err);

	if (rc == 0)
		rc = layer_write(&layer, blobs, (int)l->plan->set->level, l->plan->release.epoch,
		                 &s->record, err);
	layer_release(&layer);
	return rc;
}

struct step *plan_add_step(struct plan *p, const char *verb, const char *what, void *ctx,
                           int (*inputs)(struct step *, struct strbuf *, struct err *),
                           int (*run)(struct step *, struct err *))
{
	auto_free char *name = xasprintf("%s %s", verb, what);
	struct step *s = steps_add(&p->steps, name);

	s->ctx = ctx;
	s->inputs = inputs;
	s->run = run;
	return s;
}

struct part *plan_add_part(struct plan *p, const char *dir, const char *name, struct err *err)
{
	struct part *part = &p->parts[p->n_parts];
	struct compile_ctx *c;

	assert(p->n_parts < PLAN_PARTS_MAX);
	if (part_load(dir, name, &p->release.vars, part, err) < 0)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	*c = (struct compile_ctx){p, part};
	p->compiled[p->n_parts++] = plan_add_step(p, "compile", name, c, compile_inputs,
	                                          compile_run);
	return part;
}

struct step *plan_add_debs(struct plan *p, const char *dir, const char *name, struct err *err)
{
	auto_free char *path = xasprintf("%s/%s/debs.conf", dir, name);
	struct plan_debs *d = &p->debs[p->n_debs];

	assert(p->n_debs < PLAN_DEBS_MAX);
	if (conf_load(path, &d->conf, err) < 0)
		return NULL;
	d->plan = p;
	d->name = plan_keep(p, name);
	d->step = plan_add_step(p, "unpack", name, d, debs_inputs, debs_step);
	p->n_debs++;
	return d->step;
}

struct plan_layer *
plan_add_layer(struct plan *p, const char *name, const struct part *part, struct step *source,
               int (*fill_fn)(const struct plan_layer *, struct layer *, struct err *))
{
	struct plan_layer *l = &p->layers[p->n_layers++];

	assert(p->n_layers <= PLAN_LAYERS_MAX);
	*l = (struct plan_layer){
	    .name = name, .fill = fill_fn, .plan = p, .part = part, .source = source};
	l->step = plan_add_step(p, "compress", name, l, layer_step_inputs, layer_step_run);
	if (source)
		step_needs(l->step, source);
	return l;
}

const struct plan_layer *plan_find_layer(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->n_layers; i++)
		if (!strcmp(p->layers[i].name, name))
			return &p->layers[i];
	return NULL;
}

struct step *plan_compiled(const struct plan *p, const char *part)
{
	for (size_t i = 0; i < p->n_parts; i++)
		if (!strcmp(p->parts[i].name, part))
			return p->compiled[i];
	return NULL;
}

const char *plan_keep(struct plan *p, const char *name)
{
	strlist_add(&p->names, name);
	return p->names.v[p->names.n - 1];
}

int plan_get_layer(const struct plan *p, const char *name, struct bundle_layer *out,
                   struct err *err)
{
	const struct plan_layer *l = plan_find_layer(p, name);

	if (!l)
		return err_set(err, "no layer %s", name);
	*out = (struct bundle_layer){
	    .file = step_value(l->step, "file"),
	    .digest = step_value(l->step, "digest"),
	    .diff_id = step_value(l->step, "diff-id"),
	    .size = strtoull(step_value(l->step, "size"), NULL, 10),
	};
	return 0;
}

/* One digest of all patches and new files: kubeadm tells it as its commit, the bundle as a
 * component. */
static int name_patches(struct plan *p, struct err *err)
{
	auto_strbuf text = {0};
	struct digest d;
	char commit[41];

	for (size_t i = 0; i < p->patches.n; i++)
		if (patch_inputs(p->patches.v[i], &text, err) < 0)
			return -1;
	digest_data(text.buf, text.len, &d);
	snprintf(commit, sizeof(commit), "%.40s", digest_hex(&d));
	conf_set(&p->release.vars, "kubeadm-patches", commit);
	return 0;
}

static int load_patches(struct plan *p, struct err *err)
{
	auto_free char *series = xasprintf("%s/series", p->set->patches);
	auto_strbuf text = {0};

	if (fs_read(series, CONF_MAX, &text, err) < 0)
		return -1;
	if (series_select(series, strbuf_str(&text), p->set->patches, p->release.version,
	                  &p->patches, err) < 0)
		return -1;
	return name_patches(p, err);
}

static int add_parts(struct plan *p, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(part_names); i++)
		if (!plan_add_part(p, p->set->parts, part_names[i], err))
			return -1;
	return 0;
}

/* The program, and the licences of what is in it. */
static void add_program_layers(struct plan *p, size_t i)
{
	const struct part *part = &p->parts[i];
	auto_free char *licences = xasprintf("%s-licences", part->name);

	plan_add_layer(p, part->name, part, p->compiled[i], content_program);
	plan_add_layer(p, plan_keep(p, licences), part, p->compiled[i], content_licences);
}

static int add_steps(struct plan *p, struct err *err)
{
	struct step *nettools = plan_add_debs(p, p->set->parts, "nettools", err);

	if (!nettools)
		return -1;
	p->images = plan_add_step(p, "list", "images", p, images_inputs, images_run);
	step_needs(p->images, p->compiled[0]);
	for (size_t i = 0; i < p->n_parts; i++)
		add_program_layers(p, i);
	plan_add_layer(p, "nettools", NULL, nettools, content_nettools);
	plan_add_layer(p, "netfilter", NULL, NULL, content_netfilter);
	plan_add_layer(p, "kube-paths", NULL, NULL, content_kube_paths);
	plan_add_layer(p, "etcd-paths", NULL, NULL, content_etcd_paths);
	plan_add_layer(p, "lvscare", NULL, NULL, content_lvscare);
	plan_add_layer(p, "pause", NULL, NULL, content_pause);
	plan_add_layer(p, "base", NULL, NULL, content_base);
	plan_add_layer(p, "node", NULL, p->images, content_node);
	return 0;
}

static int name_tools(struct plan *p, struct err *err)
{
	auto_free char *go = go_version(err), *gcc = go ? gcc_version(err) : NULL;

	if (!gcc)
		return -1;
	conf_set(&p->env, "go", go);
	conf_set(&p->env, "gcc", gcc);
	return 0;
}

int plan_open(const struct settings *set, const char *version, const char *lock, struct plan *out,
              struct err *err)
{
	struct plan *p = out;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*p = (struct plan){.set = set,
	                   .began = now.tv_sec * 1000000000LL + now.tv_nsec,
	                   .steps = {.work = set->work, .jobs = set->jobs}};
	if (release_load(set->releases, version, &p->release, err) < 0)
		return -1;
	if (lock) {
		lock_release(&p->release.lock);
		free(p->release.lock_path);
		p->release.lock_path = xstrdup(lock);
		if (lock_load(lock, &p->release.lock, err) < 0)
			return -1;
	}
	return name_tools(p, err);
}

int plan_make(const struct settings *set, const char *version, struct plan *out, struct err *err)
{
	struct plan *p = out;
	auto_free char *flannel = NULL;

	if (plan_open(set, version, NULL, p, err) < 0)
		return -1;
	if (!conf_need(&p->release.vars, "flannel-version", err))
		return -1;
	flannel = xasprintf("kubecask.local/flannel:%s",
	                    conf_get(&p->release.vars, "flannel-version"));
	conf_set(&p->release.vars, "flannel-image", flannel);
	if (load_patches(p, err) < 0 || add_parts(p, err) < 0)
		return -1;
	return add_steps(p, err);
}

/* The inputs that the steps met, cached ones too, against the lock; or into a new lock. */
static int settle_lock(struct plan *p, struct err *err)
{
	struct lock fresh = {.path = xstrdup(p->release.lock_path)};
	auto_free char *tool = xasprintf("tool go %s -", conf_get(&p->env, "go"));
	int rc = 0;

	lock_add(&fresh, tool);
	for (size_t i = 0; i < p->steps.n; i++) {
		const char *line;
		size_t at = 0;

		while ((line = conf_next(&p->steps.v[i]->record, "lock", &at)))
			lock_add(&fresh, line);
	}
	for (size_t i = 0; rc == 0 && !p->set->update_lock && i < fresh.n; i++)
		rc = lock_check(&p->release.lock, fresh.line[i], err);
	if (rc == 0 && p->set->update_lock) {
		rc = lock_save(&fresh, err);
		if (rc == 0)
			fprintf(stderr, "  wrote %s\n", fresh.path);
	}
	lock_release(&fresh);
	return rc;
}

/* Before anything is fetched or compiled. */
static int check_toolchain(const struct plan *p, struct err *err)
{
	auto_free char *tool = xasprintf("tool go %s -", conf_get(&p->env, "go"));

	if (p->set->update_lock)
		return 0;
	if (!fs_exists(p->release.lock_path))
		return err_set(err,
		               "%s is not there: the hashes of what %s is made of are not known; "
		               "--update-lock writes it from what is fetched today",
		               p->release.lock_path, p->release.version);
	return lock_check(&p->release.lock, tool, err);
}

int plan_run(struct plan *p, struct err *err)
{
	if (check_toolchain(p, err) < 0 || steps_run(&p->steps, err) < 0)
		return -1;
	return settle_lock(p, err);
}

void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->n_parts; i++) {
		part_release(&p->parts[i]);
		free(p->compiled[i]->ctx);
	}
	for (size_t i = 0; i < p->n_debs; i++)
		conf_release(&p->debs[i].conf);
	steps_release(&p->steps);
	release_release(&p->release);
	strlist_release(&p->patches);
	strlist_release(&p->names);
	conf_release(&p->env);
}
