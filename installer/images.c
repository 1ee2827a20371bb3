// SPDX-License-Identifier: Apache-2.0
/*
 * Container images from the node's blobs into containerd: one OCI layout with whatever is missing,
 * composed on the fly and piped into `ctr images import -`, then pinned against the kubelet's
 * garbage collection.
 */
#include "bundle.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "oci.h"
#include "proc.h"
#include "state.h"
#include "store.h"
#include "strbuf.h"
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CTR       DIR_CURRENT "/bin/ctr"
#define NAMESPACE "k8s.io"
#define PIN       "io.cri-containerd.pinned=pinned"
#define COMMAND_S 120
#define CHUNK     (1u << 18)
#define STALL_MS  300000 /* ctr takes no more bytes: containerd hangs */
#define UNPACK_MS 900000 /* from the last byte to its end */

/* A running `ctr images import -`. */
struct import {
	pid_t pid;
	int in;     /* its stdin */
	int output; /* memfd with what it printed */
	uint64_t now, of;
	struct node *node;
};

static int import_start(struct import *im, struct err *err)
{
	int p[2];

	im->output = memfd_create("ctr", MFD_CLOEXEC);
	if (im->output < 0 || pipe2(p, O_CLOEXEC) < 0)
		return err_set(err, "pipe: %s", strerror(errno));
	im->pid = fork();
	if (im->pid < 0)
		return err_set(err, "fork: %s", strerror(errno));
	if (im->pid == 0) {
		setpgid(0, 0);
		if (dup2(p[0], 0) >= 0 && dup2(im->output, 1) >= 0 && dup2(im->output, 2) >= 0)
			execl(CTR, "ctr", "-n", NAMESPACE, "images", "import", "--local", "-",
			      (char *)NULL);
		_exit(127);
	}
	close(p[0]);
	im->in = p[1];
	fcntl(im->in, F_SETFL, O_NONBLOCK);
	return 0;
}

/* Waits for ctr, which unpacks what it was given; kills it after UNPACK_MS. */
static void await_end(struct import *im, int *status)
{
	auto_close int fd = (int)syscall(SYS_pidfd_open, im->pid, 0);
	long long end = now_ms() + UNPACK_MS;

	for (;;) {
		struct pollfd ended = {.fd = fd, .events = POLLIN};
		pid_t r = waitpid(im->pid, status, WNOHANG);

		if (r == im->pid || (r < 0 && errno != EINTR))
			return;
		if (now_ms() > end)
			kill(-im->pid, SIGKILL);
		poll(&ended, 1, fd < 0 ? 50 : 1000);
		node_progress(im->node, "images", im->now, im->of);
	}
}

/* Ends the pipe and waits; a failure quotes what ctr said. */
static int import_finish(struct import *im, bool failed, struct err *err)
{
	char text[800] = "";
	int status = 0;
	ssize_t n;

	if (im->in >= 0)
		close(im->in);
	if (im->pid > 0)
		await_end(im, &status);
	n = im->output >= 0 ? pread(im->output, text, sizeof(text) - 1, 0) : 0;
	if (im->output >= 0)
		close(im->output);
	if (im->pid > 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		return err_set(err, "ctr images import: %s",
		               n > 0 ? text : "ended without saying why");
	return failed ? -1 : 0;
}

static int put(struct import *im, const void *data, size_t len, struct err *err)
{
	const char *p = data;
	long long end = now_ms() + STALL_MS;

	while (len) {
		struct pollfd wait = {.fd = im->in, .events = POLLOUT};
		ssize_t n = write(im->in, p, len);

		if (n > 0) {
			p += n;
			len -= (size_t)n;
			end = now_ms() + STALL_MS;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			return err_set(err, "ctr images import: %s", strerror(errno));
		} else if (now_ms() > end) {
			kill(-im->pid, SIGKILL);
			return err_set(err,
			               "ctr images import: containerd takes nothing for %d s "
			               "(journalctl -u containerd)",
			               STALL_MS / 1000);
		} else {
			poll(&wait, 1, 1000);
		}
	}
	return 0;
}

static int put_header(struct import *im, const char *name, uint64_t size, struct err *err)
{
	unsigned char block[TAR_BLOCK];

	tar_header(block, name, size);
	return put(im, block, sizeof(block), err);
}

static int put_padding(struct import *im, uint64_t size, struct err *err)
{
	static const unsigned char zero[TAR_BLOCK];

	return put(im, zero, tar_padding(size), err);
}

static int put_text(struct import *im, const char *name, const char *text, size_t len,
                    struct err *err)
{
	if (put_header(im, name, len, err) < 0 || put(im, text, len, err) < 0)
		return -1;
	return put_padding(im, len, err);
}

static int put_blob(struct import *im, const struct digest *d, struct err *err)
{
	auto_free char *path = store_path(d);
	auto_free char *name = xasprintf("blobs/sha256/%s", digest_hex(d));
	auto_free char *buf = xmalloc(CHUNK);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint64_t left;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, "open %s: %s", path, strerror(errno));
	left = (uint64_t)st.st_size;
	if (put_header(im, name, left, err) < 0)
		return -1;
	while (left) {
		size_t n = left < CHUNK ? (size_t)left : CHUNK;

		if (fs_read_all(fd, buf, n) < 0)
			return err_set(err, "read %s: %s", path,
			               errno ? strerror(errno) : "it became shorter");
		if (put(im, buf, n, err) < 0)
			return -1;
		left -= n;
		im->now += n;
		node_progress(im->node, "images", im->now, im->of);
	}
	return put_padding(im, (uint64_t)st.st_size, err);
}

/* Every blob of the images once, in the index's order. */
struct blob_set {
	struct digest *v;
	size_t n;
	uint64_t bytes;
};

static void blob_set_add(struct blob_set *s, const struct oci_descriptor *d)
{
	for (size_t i = 0; i < s->n; i++)
		if (digest_eq(&s->v[i], &d->digest))
			return;
	s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = d->digest;
	s->bytes += d->size;
}

static int collect(const struct oci_index *images, struct blob_set *set, struct err *err)
{
	for (size_t i = 0; i < images->n; i++) {
		const struct oci_descriptor *d = &images->manifests[i];
		auto_strbuf json = {0};
		struct oci_manifest m = {0};

		if (store_read(&d->digest, OCI_JSON_MAX, &json, err) < 0 ||
		    oci_manifest_parse(json.buf, json.len, &m, err) < 0)
			return -1;
		blob_set_add(set, d);
		blob_set_add(set, &m.config);
		for (size_t l = 0; l < m.n_layers; l++)
			blob_set_add(set, &m.layers[l]);
		oci_manifest_release(&m);
	}
	return 0;
}

static int stream(struct import *im, const struct oci_index *images, const struct blob_set *set,
                  struct err *err)
{
	static const char end[2 * TAR_BLOCK];
	auto_strbuf json = {0};

	oci_index_write(images, &json);
	if (put_text(im, "oci-layout", OCI_LAYOUT_JSON, strlen(OCI_LAYOUT_JSON), err) < 0 ||
	    put_text(im, "index.json", json.buf, json.len, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n; i++)
		if (node_safe_point("the next image layer", err) < 0 ||
		    put_blob(im, &set->v[i], err) < 0)
			return -1;
	return put(im, end, sizeof(end), err);
}

static int import(struct node *n, const struct oci_index *images, struct err *err)
{
	struct import im = {.pid = -1, .in = -1, .output = -1, .node = n};
	struct blob_set set = {0};
	struct err cause = {0};
	int rc = collect(images, &set, err);

	im.of = set.bytes;
	if (rc == 0)
		rc = import_start(&im, err);
	if (rc == 0) {
		rc = stream(&im, images, &set, &cause);
		*err = cause;
		rc = import_finish(&im, rc < 0, err); /* ctr's own words win over "broken pipe" */
	}
	free(set.v);
	return rc;
}

/* Lines of `ctr images ls`: REF TYPE DIGEST SIZE PLATFORMS LABELS. Is ref there with that digest?
 */
static bool listed(const char *list, const char *ref, const char *digest, bool *pinned)
{
	size_t len = strlen(ref);

	*pinned = false;
	for (const char *line = list; line; line = strchr(line, '\n')) {
		auto_free char *text = NULL;

		line += *line == '\n';
		if (strncmp(line, ref, len) != 0 || (line[len] != ' ' && line[len] != '\t'))
			continue;
		text = xstrndup(line, strcspn(line, "\n"));
		*pinned = strstr(text, PIN) != NULL;
		return strstr(text, digest) != NULL;
	}
	return false;
}

static int list_images(struct strbuf *out, struct err *err)
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S};
	const char *argv[] = {CTR, "-n", NAMESPACE, "images", "ls", NULL};

	return proc_check(argv, &opts, out, err);
}

static int pin(const char *ref, struct err *err)
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S};
	const char *argv[] = {CTR, "-n", NAMESPACE, "images", "label", ref, PIN, NULL};

	return proc_check(argv, &opts, NULL, err);
}

static void copy_descriptor(struct oci_descriptor *to, const struct oci_descriptor *from)
{
	to->media_type = xstrdup(from->media_type);
	to->digest = from->digest;
	to->size = from->size;
	for (size_t i = 0; i < from->n_ann; i++)
		oci_annotate(&to->ann, &to->n_ann, from->ann[i].key, from->ann[i].value);
}

/* Imports what containerd lacks and pins what is not pinned; returns the number of changes or -1.
 */
static int bring_in(struct node *n, const struct oci_index *index, bool control_plane,
                    struct err *err)
{
	struct oci_index missing = {0};
	auto_strlist unpinned = {0};
	auto_strbuf list = {0};
	int rc = list_images(&list, err), changes;

	for (size_t i = 0; rc == 0 && i < index->n; i++) {
		const struct oci_descriptor *d = &index->manifests[i];
		const char *ref = oci_annotation(d->ann, d->n_ann, OCI_ANN_IMAGE_NAME);
		bool pinned;

		if (!ref || !bundle_wants(d, control_plane))
			continue;
		if (!listed(strbuf_str(&list), ref, d->digest.str, &pinned))
			copy_descriptor(oci_index_add(&missing), d);
		if (!pinned)
			strlist_add(&unpinned, ref);
	}
	changes = (int)(missing.n + unpinned.n);
	if (rc == 0 && missing.n)
		rc = import(n, &missing, err);
	for (size_t i = 0; rc == 0 && i < unpinned.n; i++)
		rc = pin(unpinned.v[i], err);
	oci_index_release(&missing);
	return rc < 0 ? -1 : changes;
}

/* Those of an older bundle may all be there still. */
static int note_images(const char *index, struct err *err)
{
	json_t *state = NULL;
	bool same;

	if (state_read(&state, err) < 0)
		return -1;
	same = strcmp(json_text(state, "images"), index) == 0;
	json_decref(state);
	return same ? 0 : state_set_string("images", index, err);
}

int op_images(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *s = arg_string(args, "index", err);
	const char *role = arg_string(args, "role", err);
	auto_strbuf json = {0};
	struct oci_index index = {0};
	struct digest d;
	int changes;

	if (!s || !role)
		return -1;
	if (!digest_parse(s, &d))
		return err_set(err, "images: not a digest");
	if (node_lock(n, err) < 0 || store_read(&d, OCI_JSON_MAX, &json, err) < 0 ||
	    oci_index_parse(json.buf, json.len, &index, err) < 0)
		return -1;
	changes = bring_in(n, &index, strcmp(role, OCI_ROLE_CP) == 0, err);
	oci_index_release(&index);
	if (changes < 0)
		return -1;
	json_object_set_new(result, "changed", json_boolean(changes > 0));
	if (changes)
		journal("images of %s imported", d.str);
	return note_images(d.str, err);
}
