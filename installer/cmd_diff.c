// SPDX-License-Identifier: Apache-2.0
/* diff: what differs between two bundles, and how much of it a node gets in an upgrade. */
#include "err.h"
#include "json.h"
#include "mem.h"
#include "session.h"
#include "trust.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* {"etcd":["v3.6.5","v3.7.0"]} of what differs; "" stands for none. a, b: {"etcd":"v3.6.5"}. */
static json_t *differences(const json_t *a, const json_t *b)
{
	json_t *out = json_object(), *v;
	const char *key;

	json_object_foreach ((json_t *)(uintptr_t)a, key, v)
		if (strcmp(json_string_value(v), json_text(b, key)) != 0)
			json_object_set_new(
			    out, key, json_pack("[ss]", json_string_value(v), json_text(b, key)));
	json_object_foreach ((json_t *)(uintptr_t)b, key, v)
		if (!json_object_get(a, key))
			json_object_set_new(out, key, json_pack("[ss]", "", json_string_value(v)));
	return out;
}

/* {"registry.k8s.io/etcd:3.7.0-0":"sha256:..."} */
static json_t *images_of(const struct bundle *b)
{
	json_t *all = json_object();

	for (size_t i = 0; i < b->index.n; i++) {
		const struct oci_descriptor *d = &b->index.manifests[i];
		const char *name = oci_annotation(d->ann, d->n_ann, OCI_ANN_IMAGE_NAME);

		if (name)
			json_object_set_new(all, name, json_string(d->digest.str));
	}
	return all;
}

/* Bytes that a node of this kind needs of the new bundle, and of these what the old one lacks. */
static json_t *bytes_of(const struct bundle *old, const struct bundle *new, bool control_plane)
{
	const struct blob **list = NULL;
	size_t n = bundle_needs(new, control_plane, &list);
	uint64_t all = 0, fresh = 0;

	for (size_t i = 0; i < n; i++) {
		all += list[i]->size;
		fresh += bundle_blob(old, &list[i]->digest) ? 0 : list[i]->size;
	}
	free(list);
	return json_pack("{sI sI}", "all", (json_int_t)all, "new", (json_int_t)fresh);
}

static void compare(const struct bundle *old, const struct bundle *new, json_t *out)
{
	json_t *a = bundle_components(old), *b = bundle_components(new);

	json_object_set_new(a, "kubernetes", json_string(old->k8s_version));
	json_object_set_new(b, "kubernetes", json_string(new->k8s_version));
	json_object_set_new(out, "components", differences(a, b));
	json_decref(a);
	json_decref(b);
	a = images_of(old);
	b = images_of(new);
	json_object_set_new(out, "images", differences(a, b));
	json_decref(a);
	json_decref(b);
	json_object_set_new(out, "bytes",
	                    json_pack("{so so}", "master", bytes_of(old, new, true), "worker",
	                              bytes_of(old, new, false)));
}

static const char *or_none(const json_t *pair, size_t i)
{
	const char *s = json_string_value(json_array_get(pair, i));

	return *s ? s : "none";
}

/* "+ image", "- image", "~ image": it came, went, or has other bytes under its name. */
static char image_sign(const json_t *pair)
{
	if (!*json_string_value(json_array_get(pair, 0)))
		return '+';
	return *json_string_value(json_array_get(pair, 1)) ? '~' : '-';
}

static void print_bytes(const char *kind, const json_t *bytes)
{
	json_int_t all = json_integer_value(json_object_get(bytes, "all"));
	json_int_t new = json_integer_value(json_object_get(bytes, "new"));

	printf("a %s that has the first gets %" PRIdMAX ".%" PRIdMAX " of %" PRIdMAX ".%" PRIdMAX
	       " MB\n",
	       kind, (intmax_t)(new / 1000000), (intmax_t)(new / 100000 % 10),
	       (intmax_t)(all / 1000000), (intmax_t)(all / 100000 % 10));
}

static void print(const json_t *out)
{
	const json_t *bytes = json_object_get(out, "bytes");
	const char *name;
	json_t *v;

	json_object_foreach (json_object_get(out, "components"), name, v)
		printf("%-20s %s -> %s\n", name, or_none(v, 0), or_none(v, 1));
	json_object_foreach (json_object_get(out, "images"), name, v)
		printf("%c %s\n", image_sign(v), name);
	print_bytes("master", json_object_get(bytes, "master"));
	print_bytes("worker", json_object_get(bytes, "worker"));
}

static int diff(struct session *s, struct err *err)
{
	const struct options *o = s->opt;
	struct bundle old = {.fd = -1}, new = {.fd = -1};
	struct trust t = {.insecure = o->insecure};
	int rc;

	if (o->operands.n != 2)
		return err_set_code(err, EXIT_USAGE, "diff: two bundles, the older one first");
	rc = trust_load(o->keys, NULL, &t, err);
	if (rc == 0)
		rc = bundle_open(o->operands.v[0], oci_host_arch(), &t, &old, err);
	if (rc == 0)
		rc = bundle_open(o->operands.v[1], oci_host_arch(), &t, &new, err);
	if (rc == 0) {
		compare(&old, &new, s->result);
		if (!o->json)
			print(s->result);
	}
	bundle_release(&old);
	bundle_release(&new);
	trust_release(&t);
	return rc;
}

int cmd_diff(const struct options *o, struct err *err)
{
	struct session s = {.opt = o};

	session_begin(&s);
	return session_end(&s, "diff", diff(&s, err), err);
}
