// SPDX-License-Identifier: Apache-2.0
#include "members.h"

#include "apiserver.h"
#include "drain.h"
#include "err.h"
#include "etcd.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "net.h"
#include "node.h"
#include "proc.h"
#include "reset.h"
#include "state.h"
#include "staticpods.h"
#include "strbuf.h"

#include <ctype.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define KUBECTL   DIR_CURRENT "/bin/kubectl"
#define KUBELET   DIR_CURRENT "/bin/kubelet"
#define JOURNAL   DIR_STATE "/journal"
#define COMMAND_S 6
#define TEXT_MAX  (1u << 20)

bool members_etcd_data(const char *dir)
{
	auto_free char *member = xasprintf("%s/member", dir);
	auto_strlist names = {0};
	struct err ignored = {0};

	return fs_exists(member) && fs_list(member, &names, &ignored) == 0 && names.n > 0;
}

/* ---- the API server ---- */

/* The local API server; if it does not answer, one behind the virtual IP. */
static void ask_version(struct apiserver *api, json_t *out)
{
	struct err err = {0};
	bool local = *api->server;
	bool answers = apiserver_version(api, out, &err) == 0;

	if (!answers && local) {
		struct err second = {0};

		local = false;
		*api->server = '\0';
		answers = apiserver_version(api, out, &second) == 0;
	}
	json_object_set_new(out, "state", json_string(answers ? "answers" : "unreachable"));
	json_object_set_new(out, "local", json_boolean(answers && local));
	if (!answers)
		json_object_set_new(out, "error", json_string(err.msg));
}

/* ---- nodes ---- */

static bool own_address(const char *address)
{
	struct ifaddrs *all = NULL;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return false;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct addr a;
		char text[ADDR_STR_MAX];

		found |= addr_from_sockaddr(i->ifa_addr, &a) &&
		         strcmp(addr_host(&a, text), address) == 0;
	}
	freeifaddrs(all);
	return found;
}

static const char *internal_ip(const json_t *status)
{
	size_t i;
	json_t *a;

	json_array_foreach (json_object_get(status, "addresses"), i, a)
		if (strcmp(json_text(a, "type"), "InternalIP") == 0)
			return json_text(a, "address");
	return "";
}

static bool is_ready(const json_t *status)
{
	size_t i;
	json_t *c;

	json_array_foreach (json_object_get(status, "conditions"), i, c)
		if (strcmp(json_text(c, "type"), "Ready") == 0)
			return strcmp(json_text(c, "status"), "True") == 0;
	return false;
}

static json_t *node_of(const json_t *item)
{
	const json_t *meta = json_object_get(item, "metadata");
	const json_t *status = json_object_get(item, "status");
	const char *address = internal_ip(status), *name = json_text(meta, "name");
	const json_t *role = json_object_get(json_object_get(meta, "labels"),
	                                     "node-role.kubernetes.io/control-plane");
	struct utsname u;

	uname(&u);
	return json_pack("{ss ss ss sb sb sb sb}", "name", name, "address", address, "version",
	                 json_text(json_object_get(status, "nodeInfo"), "kubeletVersion"), "ready",
	                 is_ready(status), "control_plane", role != NULL, "drained",
	                 drain_is_marked(item), "self",
	                 strcasecmp(name, u.nodename) == 0 || own_address(address));
}

/* The nodes; a worker's kubelet may only ask for its own. */
static void ask_nodes(const struct apiserver *api, json_t *out)
{
	struct err ignored = {0};
	struct utsname u;
	json_t *all = apiserver_get(api, "/api/v1/nodes?limit=1000", &ignored), *item;
	json_t *list = json_array();
	size_t i;

	uname(&u);
	if (!all) {
		auto_free char *path = xasprintf("/api/v1/nodes/%s", u.nodename);

		for (char *c = path; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		item = apiserver_get(api, path, &ignored);
		if (item)
			json_array_append_new(list, node_of(item));
		json_decref(item);
	}
	json_array_foreach (json_object_get(all, "items"), i, item)
		json_array_append_new(list, node_of(item));
	if (all || json_array_size(list))
		json_object_set(out, "nodes", list);
	json_decref(list);
	json_decref(all);
}

static const json_t *own_node(const json_t *out)
{
	size_t i;
	json_t *n;

	json_array_foreach (json_object_get(out, "nodes"), i, n)
		if (json_is_true(json_object_get(n, "self")))
			return n;
	return NULL;
}

static void count_pods(const struct apiserver *api, json_t *out)
{
	const json_t *self = own_node(out);
	auto_free char *path = xasprintf(
	    "/api/v1/pods?limit=500&fieldSelector=status.phase=Running,spec.nodeName=%s",
	    json_text(self, "name"));
	struct err ignored = {0};
	json_t *all = self ? apiserver_get(api, path, &ignored) : NULL;

	if (all)
		json_object_set_new(
		    out, "pods",
		    json_integer((json_int_t)json_array_size(json_object_get(all, "items"))));
	json_decref(all);
}

/* ---- an interrupted run ---- */

/* Time of the last line of the journal that ends with these words: "" for none. */
static void journal_time(const char *words, char out[static 32])
{
	auto_strbuf text = {0};
	struct err ignored = {0};
	char *next, *line;

	*out = '\0';
	if (fs_read(JOURNAL, 16 * TEXT_MAX, &text, &ignored) < 0 || !text.len)
		return;
	next = text.buf;
	while ((line = strsep(&next, "\n"))) {
		char *blank = strchr(line, ' ');

		if (blank && strcmp(blank + 1, words) == 0)
			snprintf(out, 32, "%.*s", (int)(blank - line), line);
	}
}

static void add_interrupted(json_t *out)
{
	json_t *state = state_load();
	const char *how = json_text(state, "kubeadm");
	const char *verb = strcmp(how, "init-started") == 0   ? "init"
	                   : strcmp(how, "join-started") == 0 ? "join"
	                                                      : NULL;
	auto_free char *words = xasprintf("kubeadm %s begins", verb ? verb : "");
	char at[32];

	json_decref(state);
	if (!verb)
		return;
	journal_time(words, at);
	json_object_set_new(out, "interrupted", json_pack("{ss ss}", "verb", verb, "at", at));
}

static bool has_object(const struct apiserver *api, const char *path)
{
	struct err ignored = {0};
	json_t *v = apiserver_get(api, path, &ignored);

	json_decref(v);
	return v != NULL;
}

/* The node is registered with its role, and the objects of kubeadm's last phases are there. */
static bool is_complete(const struct apiserver *api, const json_t *out)
{
	const json_t *self = own_node(out);
	const char *verb = json_text(json_object_get(out, "interrupted"), "verb");

	if (!self)
		return false;
	if (strcmp(verb, "join") == 0) /* its last phase marks a control plane */
		return !fs_exists("/etc/kubernetes/manifests/kube-apiserver.yaml") ||
		       json_is_true(json_object_get(self, "control_plane"));
	return json_is_true(json_object_get(self, "control_plane")) &&
	       has_object(api, "/api/v1/namespaces/kube-public/configmaps/cluster-info") &&
	       (has_object(api, "/api/v1/namespaces/kube-system/configmaps/kube-proxy") ||
	        has_object(api, "/api/v1/namespaces/kube-system/configmaps/coredns"));
}

static void ask_api(const struct static_pods *p, bool pods, json_t *out)
{
	struct apiserver api;
	json_t *answer = json_object();

	apiserver_local(&api, p);
	json_object_set_new(out, "apiserver", answer);
	if (!fs_exists(api.conf) || !fs_exists(KUBECTL)) {
		json_object_set_new(answer, "state",
		                    json_string(p->apiserver ? "unreachable" : "none"));
		if (p->apiserver)
			json_object_set_new(answer, "error",
			                    json_string("no kubeconfig to ask it with"));
	} else {
		ask_version(&api, answer);
		if (strcmp(json_text(answer, "state"), "answers") == 0) {
			ask_nodes(&api, out);
			if (pods)
				count_pods(&api, out);
			if (json_object_get(out, "interrupted"))
				json_object_set_new(out, "complete",
				                    json_boolean(is_complete(&api, out)));
		}
	}
	apiserver_release(&api);
}

/* ---- etcd ---- */

/* Where the other control planes' etcd is asked, by kubeadm's convention. */
static char *urls_of_nodes(const json_t *out)
{
	auto_strbuf urls = {0};
	size_t i;
	json_t *n;

	json_array_foreach (json_object_get(out, "nodes"), i, n) {
		const char *a = json_text(n, "address");

		if (*a && json_is_true(json_object_get(n, "control_plane")) &&
		    !json_is_true(json_object_get(n, "self")))
			strbuf_addf(&urls,
			            strchr(a, ':') ? "%shttps://[%s]:2379" : "%shttps://%s:2379",
			            urls.len ? "," : "", a);
	}
	return xstrdup(strbuf_str(&urls));
}

static json_int_t database_size(const char *dir)
{
	auto_free char *path = xasprintf("%s/member/snap/db", dir);
	struct stat st;

	return stat(path, &st) == 0 ? (json_int_t)st.st_size : 0;
}

static void ask_etcd(const struct static_pods *p, json_t *out)
{
	bool data = members_etcd_data(p->etcd_dir);
	json_t *answer = json_object();
	auto_free char *others = urls_of_nodes(out);
	struct err err = {0}, second = {0};

	json_object_set_new(out, "etcd", answer);
	json_object_set_new(answer, "data_dir", json_string(p->etcd_dir));
	if (!p->etcd && !data) {
		bool external = p->apiserver && p->etcd_servers;

		json_object_set_new(answer, "state", json_string(external ? "external" : "none"));
		return;
	}
	if (p->etcd_url && etcd_ask(p, p->etcd_url, answer, &err) == 0) {
		json_object_set_new(answer, "state", json_string("running"));
		json_object_set_new(answer, "db_bytes", json_integer(database_size(p->etcd_dir)));
		if (json_object_get(out, "interrupted"))
			json_object_set_new(answer, "nodes",
			                    json_integer(etcd_count_nodes(p, p->etcd_url)));
		return;
	}
	if (reset_has_begun()) { /* it has left etcd, or what is lost was accepted */
		json_object_set_new(answer, "state", json_string("none"));
		json_object_del(answer, "members");
		return;
	}
	json_object_set_new(answer, "state", json_string("data"));
	json_object_set_new(answer, "error",
	                    json_string(*err.msg ? err.msg : "its static pod is gone"));
	json_object_del(answer, "members");
	json_object_del(answer, "self");
	if (*others && etcd_ask(p, others, answer, &second) == 0) {
		json_object_del(answer, "self"); /* that of another machine */
		json_object_set_new(answer, "asked", json_string("others"));
	}
}

/* ---- processes ---- */

/* The version in the path of a program that runs from our directory; NULL: it does not run. */
static char *running_version(const char *program, const char *opt)
{
	auto_strlist pids = {0};
	struct err ignored = {0};

	if (!*opt || fs_list("/proc", &pids, &ignored) < 0)
		return NULL;
	for (size_t i = 0; i < pids.n; i++) {
		auto_free char *link = xasprintf("/proc/%s/exe", pids.v[i]);
		auto_free char *comm = xasprintf("/proc/%s/comm", pids.v[i]);
		auto_strbuf name = {0};
		char path[512];
		ssize_t n;

		if (!isdigit((unsigned char)*pids.v[i]) || fs_read(comm, 64, &name, &ignored) < 0 ||
		    strncmp(strbuf_str(&name), program, strlen(program)) != 0 ||
		    name.len != strlen(program) + 1)
			continue;
		n = readlink(link, path, sizeof(path) - 1);
		if (n <= (ssize_t)strlen(opt) || strncmp(path, opt, strlen(opt)) != 0)
			continue;
		path[n] = '\0';
		return xstrndup(path + strlen(opt) + 1, strcspn(path + strlen(opt) + 1, "/"));
	}
	return NULL;
}

/* "Kubernetes v1.37.2" */
static char *program_version(void)
{
	const char *argv[] = {KUBELET, "--version", NULL};
	const struct proc_opts opts = {.timeout_s = COMMAND_S};
	auto_strbuf out = {0};
	struct err ignored = {0};
	const char *v;

	if (!fs_exists(KUBELET) || proc_run(argv, &opts, &out, NULL, &ignored) != 0)
		return NULL;
	v = strchr(strbuf_str(&out), 'v');
	return v ? xstrndup(v, strcspn(v, " \n")) : NULL;
}

/* "v1.37.2" of "v1.37.2-0123abcd" and of "v1.37.2" alike: the directory may tell builds apart. */
static void only_version(char *s)
{
	if (s && *s == 'v')
		s[1 + strspn(s + 1, "0123456789.")] = '\0';
}

static void add_process(json_t *out, const char *program, const char *opt)
{
	auto_free char *version = running_version(program, opt);
	bool running = version != NULL;

	if (!running && strcmp(program, "kubelet") == 0)
		version = program_version();
	only_version(version);
	json_object_set_new(
	    out, program,
	    json_pack("{ss sb}", "version", version ? version : "", "running", running));
}

void members_collect(bool pods, json_t *out)
{
	auto_free char *opt = realpath(DIR_OPT, NULL);
	struct static_pods p;

	static_pods_read(&p);
	json_object_set_new(out, "ours", json_boolean(reset_is_ours()));
	add_interrupted(out);
	ask_api(&p, pods, out);
	ask_etcd(&p, out);
	add_process(out, "kubelet", opt ? opt : "");
	add_process(out, "containerd", opt ? opt : "");
	static_pods_release(&p);
}

int op_cluster(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	(void)n;
	(void)err;
	members_collect(json_is_true(json_object_get(args, "pods")), result);
	return 0;
}
