// SPDX-License-Identifier: Apache-2.0
#include "staticpods.h"

#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "state.h"
#include "strbuf.h"
#include "yaml.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MANIFESTS      "/etc/kubernetes/manifests/"
#define KUBELET_CONFIG "/var/lib/kubelet/config.yaml"
#define ETCD_DIR       "/var/lib/etcd"
#define CERTS_DIR      "/etc/kubernetes/pki"
#define TEXT_MAX       (1u << 20)

static void set(char **to, const char *value)
{
	free(*to);
	*to = xstrdup(value);
}

/* Directory of an absolute path, which must not be the root directory itself. */
static void set_dir_of(char **to, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (*path != '/' || slash == path)
		return;
	free(*to);
	*to = xstrndup(path, (size_t)(slash - path));
}

/* ---- arguments of the containers ---- */

struct flag {
	const char *name; /* "--data-dir" */
	char **to;
};

static void take_word(const char *word, const struct flag *flags, size_t n)
{
	const char *eq = strchr(word, '=');

	if (!eq)
		return;
	for (size_t i = 0; i < n; i++)
		if (strlen(flags[i].name) == (size_t)(eq - word) &&
		    strncmp(word, flags[i].name, (size_t)(eq - word)) == 0)
			set(flags[i].to, eq + 1);
}

/* "--name=value" in command and args of a container. */
static void take_flags(const json_t *container, const struct flag *flags, size_t n)
{
	static const char *const keys[] = {"command", "args"};
	size_t i;
	json_t *v;

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
		json_array_foreach (json_object_get(container, keys[k]), i, v)
			if (json_is_string(v))
				take_word(json_string_value(v), flags, n);
}

/* The first word of the command, or of the arguments, without its directory. */
static const char *program_of(const json_t *container)
{
	const char *s = json_string_value(json_array_get(json_object_get(container, "command"), 0));
	const char *slash = s ? strrchr(s, '/') : NULL;

	return slash ? slash + 1 : s ? s : "";
}

/* Where a volume lies on the host; "" for none of that name. */
static const char *volume_path(const json_t *spec, const char *name)
{
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(spec, "volumes"), i, v)
		if (strcmp(json_text(v, "name"), name) == 0)
			return json_text(json_object_get(v, "hostPath"), "path");
	return "";
}

/* The first of several addresses. */
static void first_of(char **list)
{
	if (*list)
		(*list)[strcspn(*list, ",")] = '\0';
}

static void add_etcd(struct static_pods *p, const json_t *spec, const json_t *container)
{
	auto_free char *dir = NULL;
	const struct flag flags[] = {{"--data-dir", &dir},
	                             {"--listen-client-urls", &p->etcd_url},
	                             {"--trusted-ca-file", &p->etcd_ca},
	                             {"--cert-file", &p->etcd_cert},
	                             {"--key-file", &p->etcd_key}};
	const char *host = volume_path(spec, "etcd-data");

	take_flags(container, flags, ARRAY_SIZE(flags));
	first_of(&p->etcd_url);
	p->etcd = true;
	if (*host == '/')
		set(&p->etcd_dir, host);
	else if (dir && *dir == '/')
		set(&p->etcd_dir, dir);
}

static void add_apiserver(struct static_pods *p, const json_t *container)
{
	auto_free char *ca = NULL;
	const struct flag flags[] = {{"--client-ca-file", &ca},
	                             {"--etcd-servers", &p->etcd_servers},
	                             {"--advertise-address", &p->api_address},
	                             {"--secure-port", &p->api_port}};

	take_flags(container, flags, ARRAY_SIZE(flags));
	p->apiserver = true;
	if (ca)
		set_dir_of(&p->certs_dir, ca);
}

/* Its words are "--vs", "ADDRESS:PORT". */
static void add_lvscare(struct static_pods *p, const json_t *container)
{
	static const char *const keys[] = {"command", "args"};
	bool next = false;
	size_t i;
	json_t *v;

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
		json_array_foreach (json_object_get(container, keys[k]), i, v) {
			const char *s = json_is_string(v) ? json_string_value(v) : "";

			if (next)
				set(&p->vip, s);
			next = strcmp(s, "--vs") == 0;
			if (strncmp(s, "--vs=", 5) == 0)
				set(&p->vip, s + 5);
		}
}

static void add_pod(struct static_pods *p, const json_t *pod)
{
	const json_t *spec = json_object_get(pod, "spec");
	const char *name = json_text(json_object_get(pod, "metadata"), "name");
	size_t i;
	json_t *c;

	json_array_foreach (json_object_get(spec, "containers"), i, c) {
		if (strcmp(program_of(c), "etcd") == 0)
			add_etcd(p, spec, c);
		else if (strcmp(program_of(c), "kube-apiserver") == 0)
			add_apiserver(p, c);
		else if (strstr(name, "lvscare"))
			add_lvscare(p, c);
	}
}

/* A worker's certificates: the directory of the CA by which its kubelet knows its clients. */
static void add_kubelet(struct static_pods *p, const json_t *doc)
{
	const json_t *x509 = json_object_get(json_object_get(doc, "authentication"), "x509");
	const char *ca = json_text(x509, "clientCAFile");

	if (*ca && !p->apiserver)
		set_dir_of(&p->certs_dir, ca);
}

void static_pods_add(struct static_pods *p, const char *text, size_t len)
{
	struct err ignored = {0};
	json_t *docs = yaml_documents(text, len, "manifest", &ignored), *doc;
	size_t i;

	json_array_foreach (docs, i, doc) {
		if (strcmp(json_text(doc, "kind"), "Pod") == 0)
			add_pod(p, doc);
		else if (strcmp(json_text(doc, "kind"), "KubeletConfiguration") == 0)
			add_kubelet(p, doc);
	}
	json_decref(docs);
}

/* ---- this machine's ---- */

static void add_file(struct static_pods *p, const char *path)
{
	auto_strbuf text = {0};
	struct err ignored = {0};

	if (fs_read(path, TEXT_MAX, &text, &ignored) == 0)
		static_pods_add(p, strbuf_str(&text), text.len);
}

/* kubeadm makes a pair for the probes of etcd, which a client may use too. */
static void prefer_client_pair(struct static_pods *p)
{
	auto_free char *dir = NULL, *cert = NULL, *key = NULL;

	if (!p->etcd_cert)
		return;
	set_dir_of(&dir, p->etcd_cert);
	if (!dir)
		return;
	cert = xasprintf("%s/healthcheck-client.crt", dir);
	key = xasprintf("%s/healthcheck-client.key", dir);
	if (!fs_exists(cert) || !fs_exists(key))
		return;
	set(&p->etcd_cert, cert);
	set(&p->etcd_key, key);
}

static void recall(char **place, const char *was)
{
	if (!*place && *was)
		*place = xstrdup(was);
}

/* What the record says, where the files that said it are gone: by a reset that could not remove
 * all, or because kubeadm did not come so far. */
static void recall_places(struct static_pods *p)
{
	json_t *state = state_load();
	const json_t *reset = json_object_get(state, "reset");

	recall(&p->etcd_dir, json_text(reset, "etcd_dir"));
	recall(&p->etcd_dir, json_text(state, "etcd_dir"));
	recall(&p->certs_dir, json_text(reset, "certs_dir"));
	recall(&p->vip, json_text(reset, "vip"));
	recall(&p->vip, json_text(json_object_get(state, "cluster"), "vip"));
	json_decref(state);
}

void static_pods_read(struct static_pods *p)
{
	static const char *const files[] = {MANIFESTS "kube-apiserver.yaml", MANIFESTS "etcd.yaml",
	                                    MANIFESTS "lvscare.yaml", KUBELET_CONFIG};

	*p = (struct static_pods){0};
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		add_file(p, files[i]);
	prefer_client_pair(p);
	recall_places(p);
	if (!p->etcd_dir)
		set(&p->etcd_dir, ETCD_DIR);
	if (!p->certs_dir)
		set(&p->certs_dir, CERTS_DIR);
}

void static_pods_release(struct static_pods *p)
{
	char *all[] = {p->etcd_dir, p->certs_dir,    p->etcd_url,    p->etcd_ca,  p->etcd_cert,
	               p->etcd_key, p->etcd_servers, p->api_address, p->api_port, p->vip};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		free(all[i]);
	*p = (struct static_pods){0};
}
