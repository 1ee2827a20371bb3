/* links: common */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "mem.h"
#include "oci.h"
#include "strbuf.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define DIGEST "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define DESC   "{\"mediaType\":\"" OCI_TYPE_MANIFEST "\",\"digest\":\"" DIGEST "\",\"size\":3}"
#define INDEX(list) \
	"{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX "\",\"manifests\":" list "}"

static void index_round_trip(void **state)
{
	struct oci_index in = {0}, back;
	struct oci_descriptor *d = oci_index_add(&in);
	auto_strbuf json = {0}, again = {0};
	struct err err = {0};

	(void)state;
	d->media_type = xstrdup(OCI_TYPE_MANIFEST);
	d->artifact_type = xstrdup(OCI_TYPE_NODE);
	digest_data("abc", 3, &d->digest);
	d->size = 5000000000ULL;
	d->os = xstrdup("linux");
	d->arch = xstrdup("amd64");
	oci_annotate(&d->ann, &d->n_ann, "z", "last");
	oci_annotate(&d->ann, &d->n_ann, "a", "first");
	oci_annotate(&d->ann, &d->n_ann, "a", "replaced");
	oci_annotate(&in.ann, &in.n_ann, OCI_ANN_FORMAT, "1");
	oci_index_write(&in, &json);

	assert_int_equal(oci_index_parse(json.buf, json.len, &back, &err), 0);
	assert_int_equal(back.n, 1);
	assert_int_equal(back.manifests[0].size, 5000000000ULL);
	assert_string_equal(back.manifests[0].arch, "amd64");
	assert_int_equal(back.manifests[0].n_ann, 2);
	assert_string_equal(oci_annotation(back.manifests[0].ann, 2, "a"), "replaced");
	assert_string_equal(oci_annotation(back.ann, back.n_ann, OCI_ANN_FORMAT), "1");
	assert_null(oci_annotation(back.ann, back.n_ann, "none"));
	oci_index_write(&back, &again);
	assert_string_equal(json.buf, again.buf); /* canonical */
	oci_index_release(&in);
	oci_index_release(&back);
}

static void manifest_round_trip(void **state)
{
	struct oci_manifest in = {0}, back;
	auto_strbuf json = {0};
	struct err err = {0};
	struct oci_descriptor *l = oci_manifest_add_layer(&in);

	(void)state;
	in.config.media_type = xstrdup(OCI_TYPE_EMPTY);
	digest_data("{}", 2, &in.config.digest);
	in.config.size = 2;
	l->media_type = xstrdup(OCI_TYPE_LAYER_ZSTD);
	digest_data("abc", 3, &l->digest);
	l->size = 3;
	oci_manifest_write(&in, &json);
	assert_int_equal(oci_manifest_parse(json.buf, json.len, &back, &err), 0);
	assert_int_equal(back.n_layers, 1);
	assert_string_equal(back.layers[0].digest.str, DIGEST);
	assert_string_equal(back.config.media_type, OCI_TYPE_EMPTY);
	oci_manifest_release(&in);
	oci_manifest_release(&back);
}

static void hostile_indexes(void **state)
{
	static const struct {
		const char *json, *msg;
	} cases[] = {
	    {"", "index.json: line"},
	    {"{", "index.json: line"},
	    {"[]", "\"schemaVersion\" is not 2"},
	    {"{\"schemaVersion\":1}", "\"schemaVersion\" is not 2"},
	    {"{\"schemaVersion\":2}", "\"mediaType\" is not"},
	    {"{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX
	     "\",\"manifests\":[],\"layers\":[]}",
	     "both \"manifests\" and \"layers\""},
	    {"{\"schemaVersion\":2,\"schemaVersion\":2}", "duplicate"},
	    {INDEX("{}"), "\"manifests\" is not a list"},
	    {INDEX("[7]"), "manifests[0]: is not an object"},
	    {INDEX("[{\"digest\":\"sha256:../../etc\"}]"),
	     "manifests[0]: \"digest\" is not sha256:"},
	    {INDEX("[{\"digest\":\"" DIGEST "\",\"size\":-1}]"), "\"size\" is not a number"},
	    {INDEX("[{\"digest\":\"" DIGEST "\",\"size\":1.5}]"), "\"size\" is not a number"},
	    {INDEX("[{\"digest\":\"" DIGEST "\",\"size\":1}]"), "\"mediaType\" is missing"},
	    {INDEX("[{\"digest\":\"" DIGEST "\",\"size\":1,\"mediaType\":1}]"), "is not a string"},
	    {INDEX("[{\"digest\":\"" DIGEST "\",\"size\":1,\"mediaType\":\"x\",\"platform\":1}]"),
	     "\"platform\" is not an object"},
	    {INDEX("[{\"digest\":\"" DIGEST
	           "\",\"size\":1,\"mediaType\":\"x\",\"annotations\":[]}]"),
	     "\"annotations\" is not an object"},
	    {INDEX("[{\"digest\":\"" DIGEST
	           "\",\"size\":1,\"mediaType\":\"x\",\"annotations\":{\"a\":1}}]"),
	     "annotation \"a\" is not a string"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = {0};
		struct oci_index out;

		assert_int_equal(oci_index_parse(cases[i].json, strlen(cases[i].json), &out, &err),
		                 -1);
		assert_int_equal(err.code, EXIT_BAD_BUNDLE);
		if (!strstr(err.msg, cases[i].msg))
			fail_msg("case %zu: \"%s\" instead of \"%s\"", i, err.msg, cases[i].msg);
		assert_int_equal(out.n, 0);
	}
}

static void too_large_or_too_many(void **state)
{
	struct err err = {0};
	struct oci_index out;
	auto_strbuf json = {0};

	(void)state;
	assert_int_equal(oci_index_parse("", OCI_JSON_MAX + 1, &out, &err), -1);
	assert_non_null(strstr(err.msg, "larger than"));
	strbuf_addstr(&json,
	              "{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX "\",\"manifests\":[");
	for (int i = 0; i <= OCI_BLOBS_MAX; i++)
		strbuf_addf(&json, "%s" DESC, i ? "," : "");
	strbuf_addstr(&json, "]}");
	assert_int_equal(oci_index_parse(json.buf, json.len, &out, &err), -1);
	assert_non_null(strstr(err.msg, "at most 4096"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(index_round_trip),
	    cmocka_unit_test(manifest_round_trip),
	    cmocka_unit_test(hostile_indexes),
	    cmocka_unit_test(too_large_or_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
