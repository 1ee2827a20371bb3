// SPDX-License-Identifier: Apache-2.0
#include "content.h"

#include "conf.h"
#include "err.h"
#include "fs.h"
#include "layer.h"
#include "mem.h"
#include "plan.h"
#include "strbuf.h"
#include "tree.h"

#include <string.h>

#define TEMPLATE_MAX (1u << 20)

/* More names for the program, in its directory; of the value of a key that need not be there. */
static void add_links(struct layer *out, const struct part *p, const char *key)
{
	const char *slash = strrchr(p->output, '/'), *links = conf_get(&p->conf, key);
	int dir = slash ? (int)(slash - p->output) + 1 : 0;

	while (links && *links) {
		size_t len = strcspn(links, " ");
		auto_free char *path = xasprintf("%.*s%.*s", dir, p->output, (int)len, links);

		layer_link(out, path, p->output + dir);
		links += len + strspn(links + len, " ");
	}
}

int content_program(const struct plan_layer *l, struct layer *out, struct err *err)
{
	auto_free char *minor = part_minor(l->part, '-');
	auto_free char *key = xasprintf("links-%s", minor);

	(void)err;
	layer_file(out, l->part->output, l->part->setuid ? 04755 : 0755,
	           step_value(l->source, "file"), step_value(l->source, "digest"));
	add_links(out, l->part, "links");
	add_links(out, l->part, key);
	return 0;
}

/* What is linked into the program, under which terms. */
int content_licences(const struct plan_layer *l, struct layer *out, struct err *err)
{
	auto_free char *path = xasprintf("usr/share/licenses/%s/THIRD-PARTY", l->part->name);

	(void)err;
	layer_file(out, path, 0644, step_value(l->source, "licences"),
	           step_value(l->source, "licences-digest"));
	return 0;
}

/* A node's files must not lead out of the version's directory; the installer refuses such links. */
static int check_links(const struct layer *l, struct err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct layer_entry *e = &l->v[i];

		if (e->kind == LAYER_LINK && (*e->from == '/' || strstr(e->from, "..")))
			return err_set(err,
			               "nettools: the link %s to %s leads out of its directory: "
			               "drop it in debs.conf",
			               e->path, e->from);
	}
	return 0;
}

int content_nettools(const struct plan_layer *l, struct layer *out, struct err *err)
{
	if (layer_tree(out, step_value(l->source, "tree"), err) < 0)
		return -1;
	return check_links(out, err);
}

/* The names under which netfilter-select finds either iptables. */
static void add_variants(struct layer *out)
{
	static const char *const variants[] = {"nft", "legacy"};
	static const char *const names[] = {"iptables",  "iptables-save",  "iptables-restore",
	                                    "ip6tables", "ip6tables-save", "ip6tables-restore"};

	for (size_t v = 0; v < ARRAY_SIZE(variants); v++)
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			auto_free char *path = xasprintf("usr/local/lib/netfilter/%s/%s",
			                                 variants[v], names[i]);
			auto_free char *to = xasprintf("/usr/sbin/xtables-%s-multi", variants[v]);

			layer_link(out, path, to);
		}
}

int content_netfilter(const struct plan_layer *l, struct layer *out, struct err *err)
{
	(void)err;
	add_variants(out);
	layer_link(out, "lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
	layer_file(out, "usr/local/bin/netfilter-select", 0755, l->plan->set->netfilter_select,
	           NULL);
	/* ipset looks there for the name "tcp", which kube-proxy gives it in its ipvs mode */
	layer_data(out, "etc/protocols", 0644, "tcp 6 TCP\nudp 17 UDP\nsctp 132 SCTP\n");
	/* kubeadm's DaemonSet runs exactly this path */
	layer_link(out, "usr/local/bin/kube-proxy", "netfilter-select");
	return 0;
}

/* Where upstream's images have programs that ours have in /bin. */
static void add_local(struct layer *out, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_free char *path = xasprintf("usr/local/bin/%s", names[i]);
		auto_free char *to = xasprintf("/bin/%s", names[i]);

		layer_link(out, path, to);
	}
}

int content_kube_paths(const struct plan_layer *l, struct layer *out, struct err *err)
{
	static const char *const names[] = {"kube-apiserver", "kube-controller-manager",
	                                    "kube-scheduler"};

	(void)err;
	add_local(out, names, ARRAY_SIZE(names));
	layer_file(out, "go-runner", 0755, l->plan->set->log_runner, NULL);
	return 0;
}

int content_etcd_paths(const struct plan_layer *l, struct layer *out, struct err *err)
{
	static const char *const names[] = {"etcd", "etcdctl", "etcdutl"};

	(void)l;
	(void)err;
	add_local(out, names, ARRAY_SIZE(names));
	return 0;
}

int content_lvscare(const struct plan_layer *l, struct layer *out, struct err *err)
{
	(void)err;
	layer_file(out, "bin/lvscare", 0755, l->plan->set->lvscare, NULL);
	return 0;
}

int content_pause(const struct plan_layer *l, struct layer *out, struct err *err)
{
	(void)err;
	layer_file(out, "pause", 0755, l->plan->set->pause, NULL);
	return 0;
}

int content_base(const struct plan_layer *l, struct layer *out, struct err *err)
{
	(void)l;
	(void)err;
	layer_data(out, "etc/passwd", 0644,
	           "root:x:0:0:root:/:/sbin/nologin\n"
	           "nobody:x:65534:65534:nobody:/:/sbin/nologin\n"
	           "nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n");
	layer_data(out, "etc/group", 0644, "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n");
	layer_data(out, "etc/nsswitch.conf", 0644, "hosts: files dns\n");
	layer_dir(out, "run", 0755);
	layer_dir(out, "tmp", 01777);
	layer_dir(out, "var/lib", 0755);
	return 0;
}

/* The listed image of a repository's last name: what the files of the node refer to. */
static const char *listed_image(const struct plan *p, const char *name)
{
	const char *image;
	size_t at = 0, len = strlen(name);

	while ((image = conf_next(&p->images->record, "image", &at))) {
		const char *last = strrchr(image, '/');

		if (last && !strncmp(last + 1, name, len) && last[1 + len] == ':')
			return image;
	}
	return NULL;
}

/* The files below parts/node, with @NAME@ replaced, under the same paths. */
int content_node(const struct plan_layer *l, struct layer *out, struct err *err)
{
	auto_free char *dir = xasprintf("%s/node", l->plan->set->parts);
	const char *pause = listed_image(l->plan, "pause");
	auto_strlist files = {0};
	auto_conf vars = {0};

	if (!pause)
		return err_set(err, "kubeadm lists no image \"pause\"");
	for (size_t i = 0; i < l->plan->release.vars.n; i++)
		conf_set(&vars, l->plan->release.vars.v[i].key, l->plan->release.vars.v[i].value);
	conf_set(&vars, "pause-image", pause);
	layer_file(out, "bin/nft", 0755, l->plan->set->nft, NULL);
	if (tree_list(dir, &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.n; i++) {
		auto_free char *path = xasprintf("%s/%s", dir, files.v[i]);
		auto_strbuf text = {0}, made = {0};

		if (fs_read(path, TEMPLATE_MAX, &text, err) < 0 ||
		    conf_expand(&vars, path, strbuf_str(&text), &made, err) < 0)
			return -1;
		layer_data(out, files.v[i], 0644, strbuf_str(&made));
	}
	return 0;
}
