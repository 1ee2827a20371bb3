// SPDX-License-Identifier: Apache-2.0
#include "plan.h"

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
#include "tools.h"
#include "zst.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order in which they are begun: the longest first. */
static const char *const part_names[] = {"kube", "containerd", "coredns", "flannel",
                                         "etcd", "runc",       "cni"};

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

	strbuf_addf(out, "%s\n", conf_get(&c->plan->env, "go"));
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
	const struct plan *p = s->ctx;

	(void)err;
	conf_write(&p->debs, out);
	if (p->set->update_lock) { /* always asked for anew */
		strbuf_addstr(out, "today's\n");
		return fs_exists("/var/lib/apt/lists") ? 0 : err_set(err, "no apt lists");
	}
	for (size_t i = 0; i < p->release.lock.n; i++)
		if (!strncmp(p->release.lock.line[i], "deb ", 4))
			strbuf_addf(out, "%s\n", p->release.lock.line[i]);
	return 0;
}

static int debs_step(struct step *s, struct err *err)
{
	const struct plan *p = s->ctx;
	struct debs d = {.conf = &p->debs, .lock = lock_of(p), .work = p->set->work, .key = s->key};

	return debs_run(&d, &s->record, err);
}

static int images_inputs(struct step *s, struct strbuf *out, struct err *err)
{
	const struct plan *p = s->ctx;

	(void)err;
	strbuf_addf(out, "%s\n%s\n", step_value(plan_compiled(p, "kube"), "sha256"),
	            p->release.version);
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

	strbuf_addf(out, "zstd %s level %u epoch %lld\n", zst_version(), l->plan->set->level,
	            l->plan->release.epoch);
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

static struct step *add_step(struct plan *p, const char *verb, const char *what, void *ctx,
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

static struct plan_layer *
add_layer(struct plan *p, const char *name, const struct part *part, struct step *source,
          int (*fill_fn)(const struct plan_layer *, struct layer *, struct err *))
{
	struct plan_layer *l = &p->layers[p->n_layers++];

	assert(p->n_layers <= PLAN_LAYERS_MAX);
	*l = (struct plan_layer){
	    .name = name, .fill = fill_fn, .plan = p, .part = part, .source = source};
	l->step = add_step(p, "compress", name, l, layer_step_inputs, layer_step_run);
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

const struct step *plan_compiled(const struct plan *p, const char *part)
{
	for (size_t i = 0; i < p->n_parts; i++)
		if (!strcmp(p->parts[i].name, part))
			return p->compiled[i];
	return NULL;
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

static int load_parts(struct plan *p, struct err *err)
{
	auto_free char *debs = xasprintf("%s/nettools/debs.conf", p->set->parts);

	for (size_t i = 0; i < ARRAY_SIZE(part_names); i++) {
		if (part_load(p->set->parts, part_names[i], &p->release.vars, &p->parts[i], err) <
		    0)
			return -1;
		p->n_parts++;
	}
	return conf_load(debs, &p->debs, err);
}

static void add_steps(struct plan *p)
{
	for (size_t i = 0; i < p->n_parts; i++) {
		struct compile_ctx *c = xcalloc(1, sizeof(*c));

		*c = (struct compile_ctx){p, &p->parts[i]};
		p->compiled[i] = add_step(p, "compile", p->parts[i].name, c, compile_inputs,
		                          compile_run);
	}
	p->nettools = add_step(p, "unpack", "nettools", p, debs_inputs, debs_step);
	p->images = add_step(p, "list", "images", p, images_inputs, images_run);
	step_needs(p->images, p->compiled[0]);
	for (size_t i = 0; i < p->n_parts; i++)
		add_layer(p, p->parts[i].name, &p->parts[i], p->compiled[i], content_program);
	add_layer(p, "nettools", NULL, p->nettools, content_nettools);
	add_layer(p, "lvscare", NULL, NULL, content_lvscare);
	add_layer(p, "pause", NULL, NULL, content_pause);
	add_layer(p, "base", NULL, NULL, content_base);
	add_layer(p, "node", NULL, p->images, content_node);
}

int plan_make(const struct settings *set, const char *version, struct plan *out, struct err *err)
{
	struct plan *p = out;
	auto_free char *flannel = NULL, *go = NULL, *gcc = NULL;

	*p = (struct plan){.set = set, .steps = {.work = set->work, .jobs = set->jobs}};
	if (release_load(set->releases, version, &p->release, err) < 0)
		return -1;
	if (!conf_need(&p->release.vars, "flannel-version", err))
		return -1;
	flannel = xasprintf("kubecask.local/flannel:%s",
	                    conf_get(&p->release.vars, "flannel-version"));
	conf_set(&p->release.vars, "flannel-image", flannel);
	if (load_patches(p, err) < 0 || load_parts(p, err) < 0)
		return -1;
	go = go_version(err);
	gcc = go ? gcc_version(err) : NULL;
	if (!gcc)
		return -1;
	conf_set(&p->env, "go", go);
	conf_set(&p->env, "gcc", gcc);
	add_steps(p);
	return 0;
}

void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->n_parts; i++) {
		part_release(&p->parts[i]);
		if (p->compiled[i])
			free(p->compiled[i]->ctx);
	}
	steps_release(&p->steps);
	release_release(&p->release);
	strlist_release(&p->patches);
	conf_release(&p->debs);
	conf_release(&p->env);
}
