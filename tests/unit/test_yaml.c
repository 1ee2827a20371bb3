/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* YAML as Go's decoder (go.yaml.in/yaml v2 behind sigs.k8s.io/yaml) understands it. */
#include "err.h"
#include "mem.h"
#include "strbuf.h"
#include "unit.h"
#include "yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void compare_yaml(const char *yaml, const char *json)
{
	struct err err = {0};
	json_t *got = yaml_documents(yaml, strlen(yaml), "test", &err);
	json_t *want = json_loads(json, 0, NULL);

	assert_non_null(got);
	if (!json_equal(got, want))
		fail_msg("%s", json_dumps(got, 0));
	json_decref(got);
	json_decref(want);
}

static void scalars_mean_what_kubeadm_takes_them_for(void **state)
{
	(void)state;
	compare_yaml(
	    "a: 1\nb: \"1\"\nc: yes\nd: 'yes'\ne: ~\nf: 1.5\ng: 1.37.2\nh: 0x10\ni: -3\nj: "
	    "v1\nk:\n",
	    "[{\"a\":1,\"b\":\"1\",\"c\":true,\"d\":\"yes\",\"e\":null,\"f\":1.5,\"g\":\"1.37.2\","
	    "\"h\":16,\"i\":-3,\"j\":\"v1\",\"k\":null}]");
	compare_yaml("a: 10.0.0.1\nb: 10.244.0.0/16\nc: 5m\nd: fd00::1\ne: 2026-01-01\n",
	             "[{\"a\":\"10.0.0.1\",\"b\":\"10.244.0.0/16\",\"c\":\"5m\",\"d\":\"fd00::1\","
	             "\"e\":\"2026-01-01\"}]");
	compare_yaml("a: |\n  x\n  y\nb: [1, {c: d}]\n",
	             "[{\"a\":\"x\\ny\\n\",\"b\":[1,{\"c\":\"d\"}]}]");
}

static void documents_anchors_comments(void **state)
{
	(void)state;
	compare_yaml("# only a comment\n---\na: &x [1]\nb: *x\n---\n---\nc: 2\n",
	             "[{\"a\":[1],\"b\":[1]},{\"c\":2}]");
	compare_yaml("{\"a\": {\"b\": true}}", "[{\"a\":{\"b\":true}}]");
	compare_yaml("", "[]");
}

/* One value each: what Go makes of it. */
static void numbers_and_words(void **state)
{
	static const char *const cases[][2] = {
	    {"010", "8"},
	    {"0o17", "15"},
	    {"0b11", "3"},
	    {"-0b11", "-3"},
	    {"0X1f", "31"},
	    {"1_000", "1000"},
	    {"1__0", "10"},
	    {"_1", "\"_1\""},
	    {"08", "8"},
	    {"0b2", "\"0b2\""},
	    {"0x", "\"0x\""},
	    {"1e3", "1000"},
	    {"+.5", "0.5"},
	    {"5.", "5"},
	    {".", "\".\""},
	    {"1-2", "\"1-2\""},
	    {"12:30:45", "\"12:30:45\""},
	    {"2026-1-2", "\"2026-1-2\""},
	    {"1e400", "\"1e400\""},
	    {"-9223372036854775808", "-9223372036854775808"},
	    {"y", "true"},
	    {"N", "false"},
	    {"oFF", "\"oFF\""},
	    {"tRue", "\"tRue\""},
	    {"nULL", "\"nULL\""},
	    {"!!str 5", "\"5\""},
	    {"!!str yes", "\"yes\""},
	    {"!!int \"5\"", "5"},
	    {"!!float 5", "5"},
	    {"!!bool yes", "true"},
	    {"'yes'", "\"yes\""},
	    {"b#c", "\"b#c\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *yaml = xasprintf("a: %s\n", cases[i][0]);
		auto_free char *json = xasprintf("[{\"a\":%s}]", cases[i][1]);

		compare_yaml(yaml, json);
	}
}

static void keys_and_merges(void **state)
{
	(void)state;
	compare_yaml("on: 1\n010: 2\n1.5: 3\n'y': 4\n", "[{\"true\":1,\"8\":2,\"1.5\":3,\"y\":4}]");
	compare_yaml("x: &x {p: 1, q: 2}\nm:\n  <<: *x\n  q: 3\n",
	             "[{\"x\":{\"p\":1,\"q\":2},\"m\":{\"p\":1,\"q\":3}}]");
	compare_yaml("x: &x {p: 1}\nz: &z {p: 2, s: 1}\nm:\n  <<: [*x, *z]\n",
	             "[{\"x\":{\"p\":1},\"z\":{\"p\":2,\"s\":1},\"m\":{\"p\":1,\"s\":1}}]");
}

static void other_systems_text(void **state)
{
	(void)state;
	compare_yaml("\xef\xbb\xbf"
	             "a: 1\r\nb:\r\n  c: x\r\n---\r\n# nothing\r\n---\r\nd: 2\r\n...\r\n",
	             "[{\"a\":1,\"b\":{\"c\":\"x\"}},{\"d\":2}]");
}

static void bad_yaml(void **state)
{
	static const char *const bad[][2] = {
	    {"a: [", "f.yaml: not valid YAML: line "},
	    {"a: 1\nb:\n\tc: 1\n", "f.yaml: not valid YAML: line 3: tab character"},
	    {"- 1\n", "f.yaml: document 1 is not a mapping"},
	    {"a: 1\n---\ntext", "f.yaml: document 2 is not a mapping"},
	    {"a: 1\na: 2\n", "f.yaml: not valid YAML: line 2: duplicate key"},
	    {"y: 1\nyes: 2\n", "f.yaml: line 2: the key is there twice: true"},
	    {"a: 1\nb: *none\n", "f.yaml: line 2: an anchor is not defined"},
	    {"[a]: b\n", "f.yaml: a key is no name"},
	    {"~: b\n", "f.yaml: line 1: a key is no name"},
	    {"a: 9223372036854775808\n", "f.yaml: line 1: the number is too large: 922"},
	    {"a: .inf\n", "f.yaml: line 1: JSON has no such number: .inf"},
	    {"a: !mine 5\n", "f.yaml: line 1: the value does not fit its tag: 5"},
	    {"a: !!int x\n", "f.yaml: line 1: the value does not fit its tag: x"},
	    {"a: &a [*a]\n", "f.yaml: line 1: "},
	    {"y:\n  <<: 5\n", "f.yaml: \"<<\" wants a mapping"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = {0};

		assert_null(yaml_documents(bad[i][0], strlen(bad[i][0]), "f.yaml", &err));
		assert_int_equal(err.code, EXIT_USAGE);
		if (strstr(err.msg, bad[i][1]) != err.msg)
			fail_msg("%s instead of %s", err.msg, bad[i][1]);
	}
}

/* Aliases of aliases do not fill the memory. */
static void many_from_few(void **state)
{
	auto_strbuf text = {0};
	struct err err = {0};

	(void)state;
	strbuf_addstr(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 12; i++) {
		strbuf_addf(&text, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			strbuf_addf(&text, "%s*a%d", k ? ", " : "", i - 1);
		strbuf_addstr(&text, "]\n");
	}
	assert_null(yaml_documents(text.buf, text.len, "f.yaml", &err));
	assert_non_null(strstr(err.msg, "too large or too deep"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(scalars_mean_what_kubeadm_takes_them_for),
	    cmocka_unit_test(documents_anchors_comments),
	    cmocka_unit_test(numbers_and_words),
	    cmocka_unit_test(keys_and_merges),
	    cmocka_unit_test(other_systems_text),
	    cmocka_unit_test(bad_yaml),
	    cmocka_unit_test(many_from_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
