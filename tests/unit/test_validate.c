/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* The bundle's own program judges the documents: here a script in its place. */
#include "bundle.h"
#include "config.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "oci.h"
#include "proc.h"
#include "strbuf.h"
#include "unit.h"
#include "unpack.h"
#include "validate.h"
#include "yaml.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char root[] = "/tmp/kubecask-validate.XXXXXX";

static int prepare(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int clean(void **state)
{
	struct err err = {0};

	(void)state;
	return fs_remove_tree(root, &err);
}

static void sh(const char *script)
{
	const char *argv[] = {"sh", "-ec", script, NULL};
	const struct proc_opts opts = {.dir = root};
	struct err err = {0};

	if (proc_check(argv, &opts, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

/* A layer of some size in front, then one with bin/kube, both somewhere inside of one file. */
static void make_bundle_file(const char *script)
{
	struct err err = {0};
	auto_free char *path = xasprintf("%s/kube", root);

	assert_int_equal(fs_write_atomic(path, script, strlen(script), 0755, &err), 0);
	sh("rm -rf t && mkdir -p t/bin u && cp kube t/bin/kube && ln -s kube t/bin/kubeadm\n"
	   "echo x > u/y && tar -C u -cf first.tar y && tar -C t -cf second.tar bin\n"
	   "gzip -nf first.tar second.tar && (printf 12345; cat first.tar.gz second.tar.gz) > all");
}

static uint64_t size_of(const char *name)
{
	auto_free char *path = xasprintf("%s/%s", root, name);
	auto_strbuf text = {0};
	struct err err = {0};

	assert_int_equal(fs_read(path, 1 << 20, &text, &err), 0);
	return text.len;
}

/* A bundle with what validate.c reads of it: manifest, layers and where they lie. */
struct small {
	struct bundle b;
	struct oci_descriptor node;
	struct blob blobs[3];
};

static int by_digest(const void *a, const void *b)
{
	return strcmp(((const struct blob *)a)->digest.str, ((const struct blob *)b)->digest.str);
}

static void small_init(struct small *s)
{
	auto_free char *path = xasprintf("%s/all", root);
	uint64_t first = size_of("first.tar.gz"), second = size_of("second.tar.gz");
	struct oci_descriptor layers[2] = {{.media_type = (char *)OCI_TYPE_LAYER_GZIP},
	                                   {.media_type = (char *)OCI_TYPE_LAYER_GZIP}};
	struct oci_manifest m = {.artifact_type = (char *)OCI_TYPE_NODE,
	                         .config = {.media_type = (char *)OCI_TYPE_EMPTY, .size = 2},
	                         .layers = layers,
	                         .n_layers = 2};
	auto_strbuf json = {0};

	digest_data("{}", 2, &m.config.digest);
	digest_data("1", 1, &layers[0].digest);
	digest_data("2", 1, &layers[1].digest);
	layers[0].size = first;
	layers[1].size = second;
	oci_manifest_write(&m, &json);
	*s = (struct small){.b = {.path = (char *)"test", .n_blobs = 3}};
	digest_data(json.buf, json.len, &s->node.digest);
	s->blobs[0] = (struct blob){.digest = layers[0].digest, .offset = 5, .size = first};
	s->blobs[1] = (struct blob){
	    .digest = layers[1].digest, .offset = 5 + first, .size = second};
	s->blobs[2] = (struct blob){
	    .digest = s->node.digest, .offset = 5 + first + second, .size = json.len};
	qsort(s->blobs, 3, sizeof(*s->blobs), by_digest);
	s->b.blobs = s->blobs;
	s->b.node = &s->node;
	s->b.fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
	assert_true(s->b.fd >= 0);
	assert_int_equal(fs_write_all(s->b.fd, json.buf, json.len), 0);
}

static int validate(const char *script, struct strlist *warnings, struct err *err)
{
	static const char yaml[] = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
				   "bootstrapTokens: [{token: k3qxv7.p0s9d8f7g6h5j4k3}]\n"
				   "colour: green\n";
	struct cluster_config c = {.k8s_version = "v1.37.2",
	                           .pod_cidr = (char *)DEFAULT_POD_CIDR,
	                           .service_cidr = (char *)DEFAULT_SERVICE_CIDR};
	struct small s;
	int rc;

	assert_int_equal(addr_parse(DEFAULT_VIP, 0, "", &c.vip, err), 0);
	c.user = yaml_documents(yaml, strlen(yaml), "test", err);
	assert_non_null(c.user);
	make_bundle_file(script);
	small_init(&s);
	rc = config_validate(&c, &s.b, warnings, err);
	close(s.b.fd);
	json_decref(c.user);
	return rc;
}

static void its_verdict(void **state)
{
	auto_strlist warnings = {0};
	struct err err = {0};

	(void)state;
	/* called as kubeadm, with the user's and all other documents in a file it can read */
	assert_int_equal(validate("#!/bin/sh\necho 'W1129 03:30:00.1 1 common.go:1] old' >&2\n"
	                          "[ \"$1 $2 $3\" = 'config validate --config' ] || exit 1\n"
	                          "grep -q JoinConfiguration $4 && exit 0\n"
	                          "grep -q green $4 && grep -q ClusterConfiguration $4\n",
	                          &warnings, &err),
	                 0);
	assert_int_equal(warnings.n, 2); /* of the documents for init, and of those for join */
	assert_string_equal(warnings.v[0], "W1129 03:30:00.1 1 common.go:1] old");

	assert_int_equal(validate("#!/bin/sh\ngrep -q JoinConfiguration $4 && exit 0\necho "
	                          "'unknown field \"colour\"' >&2\n"
	                          "echo 'token k3qxv7.p0s9d8f7g6h5j4k3' >&2\n"
	                          "echo 'To see the stack trace of this error' >&2\nexit 1\n",
	                          &warnings, &err),
	                 -1);
	assert_int_equal(err.code, EXIT_USAGE);
	assert_string_equal(err.msg, "--config: kubeadm config validate: unknown field \"colour\"\n"
	                             "token ***********************");
}

static void without_a_program(void **state)
{
	auto_strlist warnings = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(validate("no program at all", &warnings, &err), 1);
	assert_non_null(strstr(err.msg, "Exec format error"));
}

static void one_file_of_a_layer(void **state)
{
	auto_free char *all = xasprintf("%s/all", root);
	auto_free char *out = xasprintf("%s/out", root);
	auto_close int fd = -1, to = -1;
	uint64_t first, second;
	auto_strbuf text = {0};
	struct err err = {0};

	(void)state;
	make_bundle_file("#!/bin/sh\nthis one\n");
	first = size_of("first.tar.gz");
	second = size_of("second.tar.gz");
	fd = open(all, O_RDONLY | O_CLOEXEC);
	to = open(out, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(unpack_member(fd, 5, first, "bin/kube", to, &err), 0);
	assert_int_equal(unpack_member(fd, 5 + first, second, "bin/kubeadm", to, &err), 0);
	assert_int_equal(unpack_member(fd, 5 + first, second, "bin/kube", to, &err), 1);
	assert_int_equal(fs_read(out, 1000, &text, &err), 0);
	assert_string_equal(text.buf, "#!/bin/sh\nthis one\n");
	assert_int_equal(unpack_member(fd, 5 + first, second / 2, "bin/kube", to, &err), -1);
	assert_int_equal(err.code, EXIT_BAD_BUNDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(its_verdict),
	    cmocka_unit_test(without_a_program),
	    cmocka_unit_test(one_file_of_a_layer),
	};

	return cmocka_run_group_tests(tests, prepare, clean);
}
