// SPDX-License-Identifier: Apache-2.0
/*
 * Asks kubeadm what it thinks of its configuration before anything is changed. kubeadm init itself
 * only warns of a field that it does not know and then runs without it.
 */
#include "validate.h"

#include "bundle.h"
#include "config.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "net.h"
#include "node.h"
#include "oci.h"
#include "proc.h"
#include "secrets.h"
#include "stage.h"
#include "strbuf.h"
#include "unpack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROGRAM    "bin/kube" /* in the node artifact; kubeadm is one of its names */
#define VALIDATE_S 60
/* In the place of what only a run knows (addresses: RFC 5737, RFC 3849). */
#define SOME_ADDRESS  "192.0.2.1"
#define SOME_ADDRESS6 "2001:db8::1"
#define SOME_NAME     "machine"
#define SOME_TOKEN    "aaaaaa.aaaaaaaaaaaaaaaa"
#define SOME_HASH     "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define SOME_KEY      "0000000000000000000000000000000000000000000000000000000000000000"

/* ---- kubeadm's words ---- */

/* Lines of klog begin with their level, month and day: "W1129 03:30:00.1 1 common.go:1] text". */
static bool is_warning(const char *line)
{
	return (*line == 'W' || *line == 'I') && strspn(line + 1, "0123456789") == 4;
}

/* Warnings go to the list; what is left, without advice on flags that are not the user's, to errors
 * (NULL: nowhere). */
static void sort_words(char *said, struct strlist *warnings, struct strbuf *errors)
{
	char *next = said, *line;

	while ((line = strsep(&next, "\n"))) {
		if (!*line || strncmp(line, "To see the stack trace", 22) == 0)
			continue;
		if (is_warning(line))
			strlist_add(warnings, line);
		else if (errors)
			strbuf_addf(errors, "%s%s", errors->len ? "\n" : "", line);
	}
}

/* One set of documents; file is that of the program. 0, 1 or -1 as config_validate. */
static int validate_set(const char *file, const json_t *docs, struct strlist *warnings,
                        struct strbuf *errors, struct err *err)
{
	const char *argv[] = {"kubeadm", "config", "validate", "--config", NULL, NULL};
	const struct proc_opts opts = {.timeout_s = VALIDATE_S, .file = file};
	auto_strlist secrets = {0};
	auto_strbuf said = {0};
	char path[32];
	int fd = secret_file(docs, path, err), status;

	if (fd < 0)
		return 1;
	argv[4] = path;
	status = proc_run(argv, &opts, &said, NULL, err); /* stdout and stderr as they come */
	close(fd);
	if (status < 0)
		return 1;
	secrets_find(docs, &secrets);
	if (said.len)
		secrets_blank(said.buf, &secrets);
	sort_words(said.buf, warnings, status ? errors : NULL);
	return status ? -1 : 0;
}

static int validate_all(const char *file, const json_t *sets, struct strlist *warnings,
                        struct err *err)
{
	auto_strbuf errors = {0};
	int worst = 0;
	size_t i;
	json_t *docs;

	json_array_foreach (sets, i, docs) {
		int rc = validate_set(file, docs, warnings, &errors, err);

		if (rc > 0)
			return rc;
		worst = rc < worst ? rc : worst;
	}
	if (worst == 0)
		return 0;
	return err_set_code(err, EXIT_USAGE, "--config: kubeadm config validate: %s",
	                    errors.len ? strbuf_str(&errors) : "refused without a word");
}

/* ---- the documents ---- */

/* Two sets, as kubeadm init and kubeadm join get them. The caller's. */
static json_t *complete_documents(const struct cluster_config *c)
{
	struct node_config n = {.address = SOME_ADDRESS, .nameserver = true};
	const json_t *init = config_user_doc(c, "InitConfiguration");
	const char *name = json_string_value(config_at(init, "nodeRegistration.name"));

	if (c->vip.family == AF_INET6)
		n.address = SOME_ADDRESS6;
	/* that of the machine where this runs may be one that Kubernetes refuses */
	n.name = name && *name ? name : SOME_NAME;
	return json_pack("[oo]", config_init_docs(c, &n),
	                 config_join_docs(c, &n, SOME_TOKEN, SOME_HASH, SOME_KEY));
}

json_t *config_validate_args(const struct cluster_config *c, const struct digest *index)
{
	return json_pack("{so ss}", "docs", complete_documents(c), "index", index->str);
}

/* ---- on this machine ---- */

static int read_manifest(const struct bundle *b, struct oci_manifest *m, struct err *err)
{
	const struct blob *blob = bundle_blob(b, &b->node->digest);
	auto_free char *text = NULL;
	ssize_t n;

	if (!blob || blob->size > OCI_JSON_MAX)
		return err_set(err, "no node artifact");
	text = xmalloc((size_t)blob->size + 1);
	n = pread(b->fd, text, (size_t)blob->size, (off_t)blob->offset);
	if (n < 0 || (uint64_t)n != blob->size)
		return err_set(err, "%s: %s", b->path, n < 0 ? strerror(errno) : "changed");
	return oci_manifest_parse(text, (size_t)n, m, err);
}

/* The program of the bundle in memory; its descriptor is the caller's. */
static int extract_program(const struct bundle *b, struct err *err)
{
	struct oci_manifest m = {0};
	auto_close int fd = -1;
	int found = 0;

	if (read_manifest(b, &m, err) < 0)
		return -1;
	fd = memfd_create("kubeadm", 0); /* inherited: were it a script, its shell opens it */
	if (fd < 0)
		found = err_set(err, "memfd_create: %s", strerror(errno));
	for (size_t i = 0; found == 0 && i < m.n_layers; i++) {
		const struct blob *layer = bundle_blob(b, &m.layers[i].digest);

		if (layer)
			found = unpack_member(b->fd, layer->offset, layer->size, PROGRAM, fd, err);
	}
	oci_manifest_release(&m);
	if (found == 0)
		return err_set(err, "the bundle has no kubeadm");
	return found < 0 ? -1 : steal_fd(&fd);
}

int config_validate(const struct cluster_config *c, const struct bundle *b,
                    struct strlist *warnings, struct err *err)
{
	auto_close int program = -1;
	char file[32];
	json_t *docs;
	int rc;

	if (!c->user)
		return 0;
	program = extract_program(b, err);
	if (program < 0) {
		err->code = 0;
		return 1;
	}
	snprintf(file, sizeof(file), "/proc/self/fd/%d", program);
	docs = complete_documents(c);
	rc = validate_all(file, docs, warnings, err);
	json_decref(docs);
	return rc;
}

/* ---- on a node ---- */

int op_validate(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const json_t *docs = json_object_get(args, "docs");
	auto_version version = {0};
	auto_strlist warnings = {0};
	auto_free char *file = NULL;
	json_t *list = json_array();
	int rc;

	(void)n;
	json_object_set_new(result, "warnings", list);
	if (!json_is_array(docs))
		return err_set(err, "protocol: \"docs\" is missing");
	if (version_find(args, &version, err) < 0)
		return -1;
	file = xasprintf("%s/bin/kubeadm", version.dir);
	rc = validate_all(file, docs, &warnings, err);
	for (size_t i = 0; i < warnings.n; i++)
		json_array_append_new(list, json_string(warnings.v[i]));
	return rc ? -1 : 0;
}
