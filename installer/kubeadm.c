// SPDX-License-Identifier: Apache-2.0
/*
 * Runs this node's kubeadm. Its configuration, which holds secrets, is a file in memory (secrets.c)
 * that goes with the processes that use it; nothing secret is on a disk, in an argument, the
 * environment, a log or a message.
 */
#include "kubeadm.h"

#include "apiserver.h"
#include "config.h"
#include "err.h"
#include "fs.h"
#include "halfrun.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "proto.h"
#include "secrets.h"
#include "state.h"
#include "stored.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KUBEADM      DIR_CURRENT "/bin/kubeadm"
#define LOG_FILE     DIR_STATE "/kubeadm.log"
#define MANIFEST     "/etc/kubernetes/manifests/lvscare.yaml"
#define INIT_S       1500 /* kubeadm's own waits end long before */
#define SHORT_S      120
#define CERTS_S      600 /* as far as the timeouts of the user let it */
#define TOKEN_TTL    "1h0m0s"
#define SAID_MAX     16384 /* bytes of output kept for the message of a failure */
#define QUOTED_LINES 12

static const char *const admin_env[] = {"KUBECONFIG=" ADMIN_CONF, NULL};

/* ---- running it ---- */

struct kubeadm_output {
	struct node *node;
	const char *verb; /* "init", "join" */
	struct redactor redactor;
	int log;
	struct strbuf said[3];     /* by stream: the end of what was printed */
	struct strbuf progress[3]; /* by stream: a line that is not finished */
	char last[64];             /* the step that was reported */
};

/* Lines such as "[etcd] Creating static Pod manifest ..." become the step that the user sees. */
static void report_step(struct kubeadm_output *r, const char *line)
{
	const char *end = strchr(line, ']');
	char step[sizeof(r->last)];

	if (*line != '[' || !end)
		return;
	snprintf(step, sizeof(step), "kubeadm %s %.*s", r->verb, (int)(end - line + 1), line);
	if (strcmp(step, r->last) != 0)
		node_progress(r->node, step, 0, 0);
	memcpy(r->last, step, sizeof(step));
}

/* Output whose secrets are gone: to the log, to the user and to the message of a failure. */
static void on_clear_text(void *ctx, int stream, const char *text, size_t len)
{
	struct kubeadm_output *r = ctx;
	struct strbuf *said = &r->said[stream], *line = &r->progress[stream];

	if (r->log >= 0)
		(void)!write(r->log, text, len);
	strbuf_add(said, text, len);
	if (said->len > SAID_MAX)
		strbuf_consume(said, said->len - SAID_MAX / 2);
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n') {
			strbuf_addch(line, text[i]);
			continue;
		}
		report_step(r, strbuf_str(line));
		strbuf_reset(line);
	}
}

static void on_output(void *ctx, int stream, const char *data, size_t len)
{
	struct kubeadm_output *r = ctx;

	redactor_feed(&r->redactor, stream, data, len);
}

/* The failure of a program, with the last lines of what it said. */
static int program_failed(const char *name, int status, struct kubeadm_output *r, struct err *err)
{
	const struct strbuf *said = r->said[2].len ? &r->said[2] : &r->said[1];
	const char *text = strbuf_str(said), *p;
	size_t len = said->len;
	int lines = QUOTED_LINES;

	while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	if (!len)
		return err_set(err, "%s: exit status %d", name, status);
	for (p = text + len; p > text; p--)
		if (p[-1] == '\n' && --lines == 0)
			break;
	return err_set(err, "%s: exit status %d: %.*s", name, status, (int)(text + len - p), p);
}

int kubeadm_run(struct node *n, const char *verb, const char *const argv[],
                const struct strlist *secrets, int timeout_s, struct err *err)
{
	auto_close int log = -1;
	struct kubeadm_output r = {.node = n, .verb = verb};
	const struct proc_opts opts = {
	    .timeout_s = timeout_s, .env = admin_env, .on_output = on_output, .ctx = &r};
	int status;

	r.redactor = (struct redactor){.secrets = secrets, .sink = on_clear_text, .ctx = &r};
	if (fs_mkdir_p(DIR_STATE, 0700, err) < 0)
		return -1;
	log = open(LOG_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	r.log = log;
	status = proc_run(argv, &opts, NULL, NULL, err);
	redactor_finish(&r.redactor);
	if (status > 0)
		status = program_failed(argv[0], status, &r, err);
	for (size_t i = 0; i < ARRAY_SIZE(r.said); i++) {
		strbuf_release(&r.said[i]);
		strbuf_release(&r.progress[i]);
	}
	return status;
}

static void add_masters(struct strlist *argv, const json_t *args)
{
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(args, "masters"), i, v) {
		strlist_add(argv, "--master");
		strlist_add(argv, json_is_string(v) ? json_string_value(v) : "");
	}
}

/* The resolv.conf that the kubelet gives to pods on a node without a name server (config.c). */
static int write_resolv_conf(const json_t *args, struct err *err)
{
	const char *vip = json_string_value(json_object_get(args, "vip"));
	auto_free char *text = xasprintf("nameserver %s\n", vip ? vip : "127.0.0.1");

	if (fs_exists(RESOLV_CONF))
		return 0;
	return fs_write_atomic(RESOLV_CONF, text, strlen(text), 0644, err);
}

/* An interrupted kubeadm left what its checks refuse. As a flag it would contradict names of checks
 * in the documents. */
static void ignore_all(const json_t *docs)
{
	size_t i;
	json_t *doc;

	json_array_foreach (docs, i, doc) {
		const char *kind = json_string_value(json_object_get(doc, "kind"));
		json_t *all, *registration = json_object_get(doc, "nodeRegistration");

		if (!kind || (strcmp(kind, "InitConfiguration") != 0 &&
		              strcmp(kind, "JoinConfiguration") != 0))
			continue;
		all = json_pack("{s[s]}", "ignorePreflightErrors", "all");
		if (json_is_object(registration))
			json_object_update(registration, all);
		else
			json_object_set(doc, "nodeRegistration", all);
		json_decref(all);
	}
}

static int run_with_config(struct node *n, const char *verb, const json_t *docs, const json_t *args,
                           bool again, struct err *err)
{
	auto_strlist argv = {0}, secrets = {0};
	char path[32];
	int file, rc;

	if (write_resolv_conf(args, err) < 0)
		return -1;
	if (again)
		ignore_all(docs);
	file = secret_file(docs, path, err);
	if (file < 0)
		return -1;
	secrets_find(docs, &secrets);
	strlist_add(&argv, KUBEADM);
	strlist_add(&argv, verb);
	strlist_add(&argv, "--config");
	strlist_add(&argv, path);
	if (strcmp(verb, "init") == 0)
		strlist_add(&argv, "--skip-token-print");
	add_masters(&argv, args);
	rc = kubeadm_run(n, verb, (const char *const *)argv.v, &secrets, INIT_S, err);
	close(file);
	return rc;
}

/* kubeadm makes a token of 24 hours unless it is given one. */
static int give_token(const json_t *docs, char id[static 8], struct err *err)
{
	json_t *init = config_doc_of_kind(docs, "InitConfiguration");
	char token[SECRET_TOKEN_SIZE];

	id[0] = '\0';
	if (!init)
		return err_set(err, "protocol: no InitConfiguration");
	if (json_object_get(init, "bootstrapTokens")) /* the user's own */
		return 0;
	if (secret_new_token(token, err) < 0)
		return -1;
	snprintf(id, 8, "%.6s", token);
	json_object_set_new(init, "bootstrapTokens",
	                    json_pack("[{ss ss s[ss] s[s]}]", "token", token, "ttl", TOKEN_TTL,
	                              "usages", "signing", "authentication", "groups",
	                              "system:bootstrappers:kubeadm:default-node-token"));
	return 0;
}

#define TOKEN_SECRET "bootstrap-token-"

/* The uploaded certificates end with a token that kubeadm makes for that alone and names as their
 * owner; NULL without one. */
static char *certs_token(void)
{
	const char *words[] = {"-n",
	                       "kube-system",
	                       "get",
	                       "secret",
	                       "kubeadm-certs",
	                       "--ignore-not-found",
	                       "-o",
	                       "jsonpath={.metadata.ownerReferences[*].name}",
	                       NULL};
	auto_strbuf out = {0};
	struct err ignored = {0};

	if (apiserver_as_admin(SHORT_S, words, NULL, &out, &ignored) < 0 ||
	    strncmp(strbuf_str(&out), TOKEN_SECRET, strlen(TOKEN_SECRET)) != 0)
		return NULL;
	return xstrndup(out.buf, strcspn(out.buf, " \n"));
}

/* Deletes the Secret of the join token; with certs also the uploaded certificates and their token.
 * A Secret that does not exist is no failure. */
static int delete_secrets(const char *token_id, bool certs, struct err *err)
{
	auto_free char *join = xasprintf(TOKEN_SECRET "%s", token_id);
	auto_free char *owner = certs ? certs_token() : NULL;
	const char *words[] = {"-n",
	                       "kube-system",
	                       "delete",
	                       "secret",
	                       "--ignore-not-found",
	                       join,
	                       certs ? "kubeadm-certs" : NULL,
	                       owner,
	                       NULL};

	return apiserver_as_admin(SHORT_S, words, NULL, NULL, err);
}

/* Patches of kubeadm's manifests lie on each machine: before anything is changed. An upgrade needs
 * them again. */
static int find_patches(const json_t *docs, struct err *err)
{
	size_t i;
	json_t *doc;

	json_array_foreach (docs, i, doc) {
		const char *kind = json_string_value(json_object_get(doc, "kind"));
		const json_t *patches = json_object_get(doc, "patches");
		const char *dir = json_string_value(json_object_get(patches, "directory"));

		if (kind && dir && *dir && access(dir, R_OK | X_OK) < 0)
			return err_set(err,
			               "%s.patches.directory of --config: %s: %s: copy it to this "
			               "machine first",
			               kind, dir, strerror(errno));
		if (kind && dir && *dir && state_set_string("patches", dir, err) < 0)
			return -1;
	}
	return 0;
}

/* Whether kubeadm may run with these arguments; *left: what an earlier run left. Takes the lock. */
static int check_run(struct node *n, const json_t *args, enum half_run *left, struct err *err)
{
	const json_t *docs = json_object_get(args, "docs");

	if (!json_is_array(docs))
		return err_set(err, "protocol: \"docs\" is missing");
	if (node_lock(n, err) < 0 || find_patches(docs, err) < 0)
		return -1;
	return half_run_prepare(n, args, left, err);
}

int op_init(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const json_t *docs = json_object_get(args, "docs");
	struct err ignored = {0};
	enum half_run left = HALF_NONE;
	char id[8];

	(void)result;
	if (check_run(n, args, &left, err) < 0)
		return -1;
	if (left == HALF_MEMBER)
		return state_set_string("kubeadm", "init", err);
	if (node_safe_point("kubeadm init", err) < 0 || give_token(docs, id, err) < 0 ||
	    state_set_string("kubeadm", "init-started", err) < 0)
		return -1;
	journal("kubeadm init begins");
	if (run_with_config(n, "init", docs, args, left == HALF_CONTINUE, err) < 0) {
		journal("kubeadm init failed");
		return -1;
	}
	journal("kubeadm init done");
	if (*id && delete_secrets(id, false, &ignored) < 0)
		journal("token %s not deleted, it ends within the hour: %s", id, ignored.msg);
	return state_set_string("kubeadm", "init", err);
}

int op_join(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const json_t *docs = json_object_get(args, "docs");
	enum half_run left = HALF_NONE;

	(void)result;
	if (check_run(n, args, &left, err) < 0)
		return -1;
	if (left == HALF_MEMBER)
		return state_set_string("kubeadm", "join", err);
	if (node_safe_point("kubeadm join", err) < 0 ||
	    state_set_string("kubeadm", "join-started", err) < 0)
		return -1;
	journal("kubeadm join begins");
	if (run_with_config(n, "join", docs, args, false, err) < 0) {
		journal("kubeadm join failed");
		return -1;
	}
	journal("kubeadm join done");
	return state_set_string("kubeadm", "join", err);
}

/* ---- what a control plane gives to the others ---- */

/* The word behind flag in kubeadm's printed join command. */
static char *word_after(const char *text, const char *flag)
{
	const char *p = strstr(text, flag);

	if (!p)
		return NULL;
	p += strlen(flag);
	p += strspn(p, " ");
	return xstrndup(p, strcspn(p, " \n\\"));
}

int op_token(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *argv[] = {
	    KUBEADM, "token", "create", "--ttl", TOKEN_TTL, "--print-join-command", NULL};
	const struct proc_opts opts = {.timeout_s = SHORT_S, .env = admin_env};
	auto_strbuf out = {0};
	auto_free char *token = NULL, *hash = NULL;

	(void)n;
	(void)args;
	if (proc_check(argv, &opts, &out, err) <
	    0) /* not through kubeadm(), which writes the output to the log */
		return -1;
	token = word_after(strbuf_str(&out), "--token ");
	hash = word_after(strbuf_str(&out), "--discovery-token-ca-cert-hash ");
	if (!token || strlen(token) != 23 || !hash)
		return err_set(err, "kubeadm token create: no token in its answer");
	json_object_set_new(result, "token", json_string(token));
	json_object_set_new(result, "ca_hash", json_string(hash));
	return 0;
}

int op_certs(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *argv[] = {KUBEADM,          "init",     "phase", "upload-certs",
	                      "--upload-certs", "--config", NULL,    NULL};
	auto_strlist secrets = {0};
	char key[SECRET_KEY_SIZE], path[32];
	json_t *docs, *cluster;
	int file, rc;

	if (secret_new_key(key, err) < 0)
		return -1;
	cluster = stored_cluster_configuration(err);
	if (!cluster)
		return -1;
	docs = json_pack("[{sO ss ss sO* sO*} o]", "apiVersion",
	                 json_object_get(cluster, "apiVersion"), "kind", "InitConfiguration",
	                 "certificateKey", key, "timeouts", json_object_get(args, "timeouts"),
	                 "localAPIEndpoint", json_object_get(args, "endpoint"), cluster);
	if (!docs)
		return err_set(err, "the cluster's ClusterConfiguration has no apiVersion");
	file = secret_file(docs, path, err);
	secrets_find(docs, &secrets);
	json_decref(docs);
	if (file < 0)
		return -1;
	argv[6] = path;
	rc = kubeadm_run(n, "upload-certs", argv, &secrets, CERTS_S, err);
	close(file);
	if (rc == 0)
		json_object_set_new(result, "key", json_string(key));
	return rc;
}

int op_forget(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *id = arg_string(args, "token_id", err);

	(void)n;
	(void)result;
	return id ? delete_secrets(id, true, err) : -1;
}

/* Does the static pod name all of these masters? */
static bool manifest_names(const json_t *masters)
{
	auto_strbuf text = {0};
	struct err ignored = {0};
	size_t i;
	json_t *v;

	if (fs_read(MANIFEST, 1 << 20, &text, &ignored) < 0)
		return false;
	json_array_foreach (masters, i, v) {
		const char *s = json_string_value(v);

		if (!s || !strstr(strbuf_str(&text), s))
			return false;
	}
	return true;
}

int op_lvscare(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	static const struct strlist none;
	const char *vip = arg_string(args, "vip", err);
	auto_strlist argv = {0};

	if (!vip)
		return -1;
	if (manifest_names(json_object_get(args, "masters")))
		return 0;
	if (node_lock(n, err) < 0)
		return -1;
	strlist_add(&argv, KUBEADM);
	strlist_add(&argv, "join");
	strlist_add(&argv, "phase");
	strlist_add(&argv, "lvscare");
	add_masters(&argv, args);
	strlist_add(&argv, vip);
	json_object_set_new(result, "changed", json_true());
	return kubeadm_run(n, "lvscare", (const char *const *)argv.v, &none, SHORT_S, err);
}
