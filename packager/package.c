// SPDX-License-Identifier: Apache-2.0
#include "package.h"

#include "bundle.h"
#include "err.h"
#include "fs.h"
#include "imageset.h"
#include "mem.h"
#include "plan.h"
#include "sbom.h"
#include "store.h"
#include "strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMAGE_LAYERS_MAX 8

/* Of the base that upstream's images of Go programs have. */
#define CERTS  "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"
#define RUNNER "/go-runner"

/*
 * What each image is made of. ref NULL: the one that kubeadm lists under this name. Those have the
 * paths, words and environment of upstream's (tests/golden/upstream-images).
 */
static const struct recipe {
	const char *name, *ref_var, *role, *entrypoint, *user, *env, *workdir;
	const char *layers[IMAGE_LAYERS_MAX];
} recipes[] = {
    {.name = "kube-apiserver",
     .entrypoint = RUNNER,
     .env = CERTS,
     .workdir = "/",
     .role = OCI_ROLE_CP,
     .layers = {"base", "kube", "kube-paths", "kube-licences"}},
    {.name = "kube-controller-manager",
     .entrypoint = RUNNER,
     .env = CERTS,
     .workdir = "/",
     .role = OCI_ROLE_CP,
     .layers = {"base", "kube", "kube-paths", "kube-licences"}},
    {.name = "kube-scheduler",
     .entrypoint = RUNNER,
     .env = CERTS,
     .workdir = "/",
     .role = OCI_ROLE_CP,
     .layers = {"base", "kube", "kube-paths", "kube-licences"}},
    {.name = "kube-proxy",
     .role = OCI_ROLE_ALL,
     .layers = {"base", "kube", "nettools", "netfilter", "kube-licences"}},
    {.name = "etcd",
     .env = CERTS,
     .workdir = "/",
     .role = OCI_ROLE_CP,
     .layers = {"base", "etcd", "etcd-paths", "etcd-licences"}},
    {.name = "coredns",
     .entrypoint = "/coredns",
     .user = "65532:65532",
     .env = CERTS,
     .workdir = "/",
     .role = OCI_ROLE_ALL,
     .layers = {"base", "coredns", "coredns-licences"}},
    {.name = "pause",
     .entrypoint = "/pause",
     .user = "65535:65535",
     .role = OCI_ROLE_ALL,
     .layers = {"pause"}},
    {.name = "lvscare",
     .ref_var = "lvscare-image",
     .entrypoint = "/bin/lvscare",
     .role = OCI_ROLE_ALL,
     .layers = {"lvscare"}},
    {.name = "flannel",
     .ref_var = "flannel-image",
     .role = OCI_ROLE_ALL,
     .layers = {"base", "flannel", "cni", "nettools", "netfilter", "flannel-licences",
                "cni-licences"}},
};

static const char *const node_layers[] = {"kube",
                                          "etcd",
                                          "containerd",
                                          "shim",
                                          "runc",
                                          "cni",
                                          "nettools",
                                          "lvscare",
                                          "node",
                                          "kube-licences",
                                          "etcd-licences",
                                          "cni-licences",
                                          "containerd-licences",
                                          "shim-licences",
                                          "runc-licences"};

/* Whose build of which source an image is: the part of that name is what its first layer after the
 * base, or its only one, has. *source and *revision are the caller's, and borrowed by image. */
static void label_source(const struct plan *p, const char *layer, struct bundle_image *image,
                         char **source, char **revision)
{
	for (size_t i = 0; layer && i < p->n_parts; i++) {
		if (strcmp(p->parts[i].name, layer) != 0 || !p->parts[i].modules.n)
			continue;
		part_module(p->parts[i].modules.v[0], source, revision);
		image->source = *source;
		image->revision = *revision;
		if (p->parts[i].series)
			image->patches = conf_get(&p->release.vars, "kubeadm-patches");
		return;
	}
}

static int add_image(const struct plan *p, struct bundle *b, const struct recipe *r,
                     const char *ref, struct err *err)
{
	struct bundle_layer layers[IMAGE_LAYERS_MAX];
	struct bundle_image image = {.ref = ref,
	                             .role = r->role,
	                             .entrypoint = r->entrypoint,
	                             .user = r->user,
	                             .env = r->env,
	                             .workdir = r->workdir,
	                             .layers = layers};
	auto_free char *source = NULL, *revision = NULL;

	while (image.n_layers < IMAGE_LAYERS_MAX && r->layers[image.n_layers]) {
		if (plan_get_layer(p, r->layers[image.n_layers], &layers[image.n_layers], err) < 0)
			return -1;
		image.n_layers++;
	}
	label_source(p, r->layers[image.n_layers > 1], &image, &source, &revision);
	return bundle_add_image(b, &image, err);
}

/* "registry.k8s.io/coredns/coredns:v1.14.6" is of the name "coredns"; *tag: "v1.14.6". */
static bool is_named(const char *ref, const char *name, const char **tag)
{
	const char *last = strrchr(ref, '/');
	size_t len = strlen(name);

	if (!last || strncmp(last + 1, name, len) != 0 || last[1 + len] != ':')
		return false;
	*tag = last + 2 + len;
	return true;
}

/* A tag agrees with a version when it is the same, but for a "v" and a build number "-0". */
static bool same_version(const char *tag, const char *version)
{
	size_t len;

	tag += tag[0] == 'v';
	version += version[0] == 'v';
	len = strlen(version);
	return !strncmp(tag, version, len) && (!tag[len] || tag[len] == '-');
}

static int check_tag(const struct plan *p, const char *ref, const char *name, const char *tag,
                     struct err *err)
{
	bool kube = !strncmp(name, "kube-", 5);
	auto_free char *key = kube ? xstrdup("kubernetes-version") : xasprintf("%s-version", name);
	const char *version = conf_need(&p->release.vars, key, err);

	if (!version)
		return -1;
	if (!same_version(tag, version))
		return err_set(err, "kubeadm wants image %s, but %s says %s %s", ref,
		               p->release.vars.name, kube ? "kubernetes" : name, version);
	return 0;
}

/* One image that kubeadm lists. */
static int add_listed(const struct plan *p, struct bundle *b, const char *ref, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(recipes); i++) {
		const struct recipe *r = &recipes[i];
		const char *tag;

		if (r->ref_var || !is_named(ref, r->name, &tag))
			continue;
		if (check_tag(p, ref, r->name, tag, err) < 0)
			return -1;
		return add_image(p, b, r, ref, err);
	}
	return err_set(err, "kubeadm wants image %s, which this packager cannot make", ref);
}

static int add_images(const struct plan *p, struct bundle *b, struct err *err)
{
	const char *ref;
	size_t at = 0;

	while ((ref = conf_next(&p->images->record, "image", &at)))
		if (add_listed(p, b, ref, err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(recipes); i++) {
		if (!recipes[i].ref_var)
			continue;
		ref = conf_need(&p->release.vars, recipes[i].ref_var, err);
		if (!ref || add_image(p, b, &recipes[i], ref, err) < 0)
			return -1;
	}
	return 0;
}

static void annotate(struct oci_descriptor *d, const char *key, const char *value)
{
	oci_annotate(&d->ann, &d->n_ann, key, value);
}

static int add_node(const struct plan *p, struct bundle *b, struct err *err)
{
	struct bundle_layer layers[ARRAY_SIZE(node_layers)];
	struct oci_descriptor *d;

	for (size_t i = 0; i < ARRAY_SIZE(node_layers); i++)
		if (plan_get_layer(p, node_layers[i], &layers[i], err) < 0)
			return -1;
	d = bundle_add_node(b, layers, ARRAY_SIZE(node_layers), err);
	if (!d)
		return -1;
	annotate(d, OCI_ANN_K8S_VERSION, p->release.version);
	annotate(d, OCI_ANN_VERSION, KUBECASK_VERSION);
	annotate(d, OCI_ANN_SOURCE, "modules");
	annotate(d, OCI_ANN_LVSCARE, conf_get(&p->release.vars, "lvscare-image"));
	annotate(d, "io.kubecask.toolchain", conf_get(&p->env, "go"));
	annotate(d, "io.kubecask.etcd.unsafe-from",
	         conf_get(&p->release.vars, "unsafe-etcd-version"));
	annotate(d, OCI_ANN_COMPONENT "kubeadm-patches",
	         conf_get(&p->release.vars, "kubeadm-patches"));
	for (size_t i = 0; i < p->n_parts; i++) {
		auto_free char *key = xasprintf("%s%s", OCI_ANN_COMPONENT, p->parts[i].component);
		auto_free char *path = NULL, *version = NULL;

		part_module(p->parts[i].modules.v[0], &path, &version);
		annotate(d, key, version);
	}
	return 0;
}

static int fill_bundle(const struct plan *p, struct bundle *b, struct err *err)
{
	auto_free char *sbom = sbom_make(p);

	b->epoch = p->release.epoch;
	oci_annotate(&b->index.ann, &b->index.n_ann, OCI_ANN_FORMAT, "1");
	oci_annotate(&b->index.ann, &b->index.n_ann, OCI_ANN_K8S_VERSION, p->release.version);
	if (add_node(p, b, err) < 0 || add_images(p, b, err) < 0)
		return -1;
	bundle_add_document(b, "sbom", OCI_TYPE_SPDX, sbom);
	return 0;
}

static void print_table(const struct plan *p, const char *path, uint64_t total)
{
	printf("%-20s %10s %10s\n", "part", "MB", "unpacked");
	for (size_t i = 0; i < p->n_layers; i++) {
		const struct step *s = p->layers[i].step;

		printf("%-20s %10.2f %10.2f\n", p->layers[i].name,
		       strtod(step_value(s, "size"), NULL) / 1e6,
		       strtod(step_value(s, "raw-size"), NULL) / 1e6);
	}
	printf("%-20s %10.2f  %s\n", "bundle", (double)total / 1e6, path);
}

static int write_files(const struct plan *p, struct bundle *b, struct err *err)
{
	const struct settings *set = p->set;
	auto_free char *name = xasprintf("kubecask-%s-linux-amd64.tar", p->release.version);
	auto_free char *path = xasprintf("%s/%s", set->out, name);
	auto_free char *install = xasprintf("%s/install", set->out);
	struct digest digest;
	uint64_t total;

	if (fs_mkdir_p(set->out, 0755, err) < 0 || bundle_write(b, path, &digest, &total, err) < 0)
		return -1;
	if (bundle_write_sum(path, &digest, err) < 0 || fs_copy(set->install, install, err) < 0)
		return -1;
	print_table(p, path, total);
	return 0;
}

/* Commands run in directories of their own: paths must hold there too. */
static int make_absolute(const char **path, struct strlist *keep, struct err *err)
{
	auto_free char *cwd = getcwd(NULL, 0);

	if (!cwd)
		return err_set(err, "the working directory: %s", strerror(errno));
	if (**path != '/') {
		strlist_addf(keep, "%s/%s", cwd, *path);
		*path = keep->v[keep->n - 1];
	}
	return 0;
}

int package_make(const struct settings *given, const char *version, struct err *err)
{
	struct settings absolute = *given, *set = &absolute;
	auto_strlist paths = {0};
	auto_close int lock = -1;
	struct plan *p = xcalloc(1, sizeof(*p));
	struct bundle b = {0};
	int rc = 0;

	if (make_absolute(&set->work, &paths, err) < 0 ||
	    make_absolute(&set->parts, &paths, err) < 0 ||
	    make_absolute(&set->patches, &paths, err) < 0 ||
	    (set->images && make_absolute(&set->images, &paths, err) < 0))
		rc = -1;
	if (rc == 0)
		rc = set->images ? imageset_plan(set, version, p, err)
		                 : plan_make(set, version, p, err);
	if (rc == 0) {
		lock = store_open(set->work, err);
		rc = lock < 0 ? -1 : 0;
	}
	if (rc == 0)
		rc = plan_run(p, err);
	if (rc == 0)
		rc = set->images ? imageset_fill(p, &b, err) : fill_bundle(p, &b, err);
	if (rc == 0)
		rc = set->images ? imageset_write(p, &b, err) : write_files(p, &b, err);
	if (rc == 0)
		rc = store_prune(set->work, set->keep, err);
	bundle_release(&b);
	plan_release(p);
	free(p);
	return rc;
}
