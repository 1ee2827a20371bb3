// SPDX-License-Identifier: Apache-2.0
/* verify: checks every byte of a bundle and lists what is in it. */
#include "err.h"
#include "json.h"
#include "mem.h"
#include "oci.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

static json_t *describe(const struct oci_descriptor *d)
{
	const char *name = oci_annotation(d->ann, d->n_ann, OCI_ANN_IMAGE_NAME);

	if (!name)
		name = oci_annotation(d->ann, d->n_ann, OCI_ANN_TITLE);
	return json_pack("{ss ss}", "name", name ? name : "?", "digest", d->digest.str);
}

static void describe_bundle(const struct bundle *b, json_t *out)
{
	json_t *list = json_array();

	json_object_set_new(out, "bundle", json_string(b->path));
	json_object_set_new(out, "index", json_string(b->index_digest.str));
	json_object_set_new(out, "signed", json_boolean(b->signers.n));
	json_object_set_new(out, "signers", json_strings(&b->signers));
	json_object_set_new(out, "sbom", json_boolean(bundle_document(b, OCI_TYPE_SPDX)));
	json_object_set_new(out, "components", bundle_components(b));
	json_object_set_new(out, "content", list);
	for (size_t i = 0; i < b->index.n; i++)
		json_array_append_new(list, describe(&b->index.manifests[i]));
}

static void print_bundle(const struct bundle *b, const char *signed_by, const json_t *described)
{
	const char *name;
	size_t i;
	json_t *v;

	printf("%s: every byte matches its digest; %s; %s\nindex %s\n", b->path, signed_by,
	       bundle_document(b, OCI_TYPE_SPDX) ? "with an SBOM" : "without an SBOM",
	       b->index_digest.str);
	json_object_foreach ((json_t *)(uintptr_t)json_object_get(described, "components"), name, v)
		printf("%-20s %s\n", name, json_string_value(v));
	json_array_foreach (json_object_get(described, "content"), i, v)
		printf("%s  %s\n", json_string_value(json_object_get(v, "digest")),
		       json_string_value(json_object_get(v, "name")));
}

int cmd_verify(const struct options *o, struct err *err)
{
	struct session s = {.opt = o};
	int rc;

	session_begin(&s);
	rc = session_open_bundle(&s, err);
	if (rc == 0) {
		describe_bundle(&s.bundle, s.result);
		if (!o->json)
			print_bundle(&s.bundle, s.signed_by, s.result);
	}
	return session_end(&s, "verify", rc, err);
}
