/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "discover/slice.h"
#include "err.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct slice slice;
static struct err err;

static int list(const char *json, int family)
{
	err = (struct err){0};
	return slice_parse_list(json, strlen(json), family, &slice, &err);
}

static int event(const char *json)
{
	err = (struct err){0};
	return slice_parse_event(json, strlen(json), AF_INET, &slice, &err);
}

static const char *masters(void)
{
	static char text[2048];
	char name[ADDR_STR_MAX];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < slice.masters.n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
		                        addr_str(&slice.masters.a[i], name));
	return text;
}

#define SLICE(version, type, endpoints)                                                         \
	"{\"metadata\":{\"name\":\"kubernetes\",\"resourceVersion\":\"" version                 \
	"\",\"managedFields\":[{\"fieldsV1\":{\"f:ports\":{}}}]},\"addressType\":\"" type       \
	"\",\"endpoints\":[" endpoints "],\"ports\":[{\"name\":\"https\",\"protocol\":\"TCP\"," \
	"\"port\":6443}]}"
#define LIST(items)                                                                             \
	"{\"kind\":\"EndpointSliceList\",\"metadata\":{\"resourceVersion\":\"815\"},\"items\":" \
	"[" items "]}\n"
#define TWO                                                               \
	"{\"addresses\":[\"10.0.0.1\"],\"conditions\":{\"ready\":true}}," \
	"{\"addresses\":[\"10.0.0.2\"],\"conditions\":{\"ready\":false}}"

static void lists(void **state)
{
	(void)state;
	assert_int_equal(list(LIST(SLICE("7", "IPv4", TWO)), AF_INET), 0);
	assert_int_equal(slice.kind, SLICE_SET);
	assert_string_equal(slice.version, "815"); /* the list's, not the slice's */
	assert_string_equal(masters(), "10.0.0.1:6443 10.0.0.2:6443");
	assert_int_equal(list(LIST(SLICE("7", "IPv4", TWO)), AF_INET6), 0);
	assert_string_equal(masters(), "");
	assert_int_equal(
	    list(LIST(SLICE("7", "IPv6", "{\"addresses\":[\"fd00::1\",\"fd00::2\"]}")), AF_INET6),
	    0);
	assert_string_equal(masters(), "[fd00::1]:6443 [fd00::2]:6443");
	assert_int_equal(list(LIST(""), AF_INET), 0);
	assert_string_equal(masters(), "");
	/* each once, from several slices too */
	assert_int_equal(list(LIST(SLICE("7", "IPv4", TWO) "," SLICE("8", "IPv4", TWO)), AF_INET),
	                 0);
	assert_string_equal(masters(), "10.0.0.1:6443 10.0.0.2:6443");
}

static void ports(void **state)
{
	static const struct {
		const char *port, *masters;
	} cases[] = {
	    {"{\"port\":7443}", "10.0.0.1:7443"},
	    {"{\"name\":\"https\",\"port\":1}", "10.0.0.1:1"},
	    {"{\"name\":\"metrics\",\"port\":1}", ""},
	    {"{\"protocol\":\"UDP\",\"port\":1}", ""},
	    {"{\"port\":0}", ""},
	    {"{\"port\":65536}", ""},
	    {"{\"port\":\"6443\"}", ""},
	    {"{}", ""},
	    {"17", ""},
	};
	char json[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(json, sizeof(json),
		         LIST("{\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[\"10.0.0."
		              "1\"]}],\"ports\":[%s]}"),
		         cases[i].port);
		assert_int_equal(list(json, AF_INET), 0);
		assert_string_equal(masters(), cases[i].masters);
	}
}

static void events(void **state)
{
	(void)state;
	assert_int_equal(event("{\"type\":\"ADDED\",\"object\":" SLICE("21", "IPv4", TWO) "}\n"),
	                 0);
	assert_int_equal(slice.kind, SLICE_SET);
	assert_string_equal(slice.version, "21");
	assert_string_equal(masters(), "10.0.0.1:6443 10.0.0.2:6443");
	assert_int_equal(event("{\"type\":\"MODIFIED\",\"object\":" SLICE("22", "IPv4", "") "}"),
	                 0);
	assert_int_equal(slice.kind, SLICE_SET);
	assert_string_equal(masters(), "");
	assert_int_equal(event("{\"type\":\"DELETED\",\"object\":" SLICE("23", "IPv4", TWO) "}"),
	                 0);
	assert_int_equal(slice.kind, SLICE_DELETED);
	assert_int_equal(event("{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"EndpointSlice\","
	                       "\"metadata\":{\"resourceVersion\":\"99\"}}}"),
	                 0);
	assert_int_equal(slice.kind, SLICE_BOOKMARK);
	assert_string_equal(slice.version, "99");
	assert_int_equal(event("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,"
	                       "\"message\":\"too old \\u001b[31m\"}}"),
	                 0);
	assert_int_equal(slice.kind, SLICE_ERROR);
	assert_int_equal(slice.status, 410);
	assert_string_equal(slice.text, "too old ?[31m");
}

static void mistakes(void **state)
{
	static const struct {
		const char *json, *msg;
	} cases[] = {
	    {"[]", "not a JSON object"},
	    {"{\"type\":\"ADDED\"}", "an event without object"},
	    {"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"\"}}}",
	     "no resourceVersion that can be used"},
	    {"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"1&x=y\"}}}",
	     "no resourceVersion that can be used"},
	    {"{\"type\":\"SOMETHING\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\"}}}",
	     "event type \"SOMETHING\" is not known"},
	    {"{\"type\":\"ADDED\",\"object\":" SLICE("1", "IPv4",
	                                             "{\"addresses\":[\"api.example\"]}") "}",
	     "address \"api.example\" is none"},
	    {"{\"type\":\"ADDED\",\"object\":" SLICE("1", "IPv4", "{\"addresses\":[7]}") "}",
	     "address \"\" is none"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(event(cases[i].json), -1);
		assert_string_equal(err.msg, cases[i].msg);
	}
	assert_int_equal(event("{\"type\":\"ADD"), -1);
	assert_memory_equal(err.msg, "not JSON: ", 10);
	assert_int_equal(list("{\"kind\":\"Status\"}", AF_INET), -1);
	assert_string_equal(err.msg, "not a list of EndpointSlices");
	assert_int_equal(list("{\"kind\":\"EndpointSliceList\",\"items\":[]}", AF_INET), -1);
	assert_string_equal(err.msg, "no resourceVersion that can be used");
}

static void too_many(void **state)
{
	char json[4096] =
	    "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\"},"
	    "\"addressType\":\"IPv4\",\"ports\":[{\"port\":1}],\"endpoints\":["
	    "{\"addresses\":[\"10.0.0.0\"";

	(void)state;
	for (int i = 1; i <= MASTERS_MAX; i++)
		sprintf(json + strlen(json), ",\"10.0.0.%d\"", i);
	strcat(json, "]}]}}");
	assert_int_equal(event(json), -1);
	assert_string_equal(err.msg, "more than 32 API servers");
}

static void messages(void **state)
{
	static const char status[] = "{\"kind\":\"Status\",\"message\":\"no\\nway\"}";
	char text[SLICE_TEXT_MAX];

	(void)state;
	slice_parse_status(status, sizeof(status) - 1, text);
	assert_string_equal(text, "no?way");
	slice_parse_status("<html>", 6, text);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists),    cmocka_unit_test(ports),    cmocka_unit_test(events),
	    cmocka_unit_test(mistakes), cmocka_unit_test(too_many), cmocka_unit_test(messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
