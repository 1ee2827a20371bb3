// SPDX-License-Identifier: Apache-2.0
/* verify: checks every byte of a bundle and lists what is in it. */
#include "err.h"
#include "mem.h"
#include "oci.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

static json_t *describe(const struct oci_descriptor *d, const struct bundle *b)
{
	const char *name = oci_annotation(d->ann, d->n_ann, OCI_ANN_IMAGE_NAME);

	if (!name)
		name = oci_annotation(d->ann, d->n_ann, OCI_ANN_TITLE);
	(void)b;
	return json_pack("{ss ss}", "name", name ? name : "?", "digest", d->digest.str);
}

static void print_bundle(const struct bundle *b, bool as_json)
{
	json_t *out = json_object(), *list = json_array();
	const size_t prefix = strlen(OCI_ANN_COMPONENT);

	json_object_set_new(out, "bundle", json_string(b->path));
	json_object_set_new(out, "index", json_string(b->index_digest.str));
	json_object_set_new(out, "kubernetes", json_string(b->k8s_version));
	json_object_set_new(out, "signed", json_false());
	json_object_set_new(out, "content", list);
	for (size_t i = 0; i < b->index.n; i++)
		json_array_append_new(list, describe(&b->index.manifests[i], b));
	if (as_json) {
		json_dumpf(out, stdout, JSON_INDENT(1));
		putchar('\n');
	} else {
		printf("%s: every byte matches its digest; not signed\nindex %s\n", b->path,
		       b->index_digest.str);
		for (size_t i = 0; i < b->node->n_ann; i++)
			if (strncmp(b->node->ann[i].key, OCI_ANN_COMPONENT, prefix) == 0)
				printf("%-20s %s\n", b->node->ann[i].key + prefix,
				       b->node->ann[i].value);
		for (size_t i = 0; i < json_array_size(list); i++)
			printf(
			    "%s  %s\n",
			    json_string_value(json_object_get(json_array_get(list, i), "digest")),
			    json_string_value(json_object_get(json_array_get(list, i), "name")));
	}
	json_decref(out);
}

int cmd_verify(const struct options *o, struct err *err)
{
	auto_free char *path = options_bundle(o, err);
	struct bundle b;

	if (!path || bundle_open(path, oci_host_arch(), &b, err) < 0)
		return -1;
	print_bundle(&b, o->json);
	bundle_release(&b);
	return 0;
}
