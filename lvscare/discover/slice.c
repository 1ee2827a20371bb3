// SPDX-License-Identifier: Apache-2.0
#include "slice.h"

#include "err.h"
#include "mem.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void json_auto(json_t **j)
{
	json_decref(*j);
}
#define auto_json __attribute__((cleanup(json_auto))) json_t

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static json_t *parse(const char *json, size_t len, struct err *err)
{
	json_error_t why;
	json_t *j = json_loadb(json, len, JSON_REJECT_DUPLICATES, &why);

	if (!j)
		err_set(err, "not JSON: %s", why.text);
	else if (!json_is_object(j))
		err_set(err, "not a JSON object");
	else
		return j;
	json_decref(j);
	return NULL;
}

static int take_version(const json_t *object, struct slice *out, struct err *err)
{
	const char *v = text_of(json_object_get(object, "metadata"), "resourceVersion");
	size_t len = strlen(v);

	/* it goes into a request as it is */
	if (!len || len >= sizeof(out->version) || strspn(v, "0123456789") != len)
		return err_set(err, "no resourceVersion that can be used");
	memcpy(out->version, v, len + 1);
	return 0;
}

static bool https_port(const json_t *port, uint16_t *out)
{
	const char *name = text_of(port, "name"), *protocol = text_of(port, "protocol");
	json_int_t n = json_integer_value(json_object_get(port, "port"));

	if ((*name && strcmp(name, "https") != 0) || (*protocol && strcmp(protocol, "TCP") != 0) ||
	    n < 1 || n > 65535)
		return false;
	*out = (uint16_t)n;
	return true;
}

/* The addresses of one endpoint at one port. */
static int add_endpoint(const json_t *endpoint, uint16_t port, int family, struct slice *out,
                        struct err *err)
{
	const json_t *v;
	size_t i;

	json_array_foreach (json_object_get(endpoint, "addresses"), i, v) {
		struct addr a = {.family = family, .port = port};
		const char *s = json_string_value(v);

		if (!s || inet_pton(family, s, a.bytes) != 1)
			return err_set(err, "address \"%.40s\" is none", s ? s : "");
		if (!addrs_add(&out->masters, &a))
			return err_set(err, "more than %d API servers", MASTERS_MAX);
	}
	return 0;
}

static int add_slice(const json_t *slice, int family, struct slice *out, struct err *err)
{
	const char *type = family == AF_INET6 ? "IPv6" : "IPv4";
	const json_t *port, *endpoint;
	uint16_t number;
	size_t i, j;

	if (strcmp(text_of(slice, "addressType"), type) != 0)
		return 0;
	json_array_foreach (json_object_get(slice, "ports"), i, port) {
		if (!https_port(port, &number))
			continue;
		json_array_foreach (json_object_get(slice, "endpoints"), j, endpoint)
			if (add_endpoint(endpoint, number, family, out, err) < 0)
				return -1;
	}
	return 0;
}

int slice_parse_list(const char *json, size_t len, int family, struct slice *out, struct err *err)
{
	auto_json *list = parse(json, len, err);
	const json_t *slice;
	size_t i;

	*out = (struct slice){.kind = SLICE_SET};
	if (!list)
		return -1;
	if (strcmp(text_of(list, "kind"), "EndpointSliceList") != 0)
		return err_set(err, "not a list of EndpointSlices");
	if (take_version(list, out, err) < 0)
		return -1;
	json_array_foreach (json_object_get(list, "items"), i, slice)
		if (add_slice(slice, family, out, err) < 0)
			return -1;
	return 0;
}

/* What is not printable would end in the log. */
static void printable(const char *s, char text[static SLICE_TEXT_MAX])
{
	snprintf(text, SLICE_TEXT_MAX, "%s", s);
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

int slice_parse_event(const char *json, size_t len, int family, struct slice *out, struct err *err)
{
	auto_json *event = parse(json, len, err);
	const json_t *object;
	const char *type;

	*out = (struct slice){0};
	if (!event)
		return -1;
	type = text_of(event, "type");
	object = json_object_get(event, "object");
	if (!json_is_object(object))
		return err_set(err, "an event without object");
	if (strcmp(type, "ERROR") == 0) {
		out->kind = SLICE_ERROR;
		out->status = (int)json_integer_value(json_object_get(object, "code"));
		printable(text_of(object, "message"), out->text);
		return 0;
	}
	if (take_version(object, out, err) < 0)
		return -1;
	if (strcmp(type, "BOOKMARK") == 0) {
		out->kind = SLICE_BOOKMARK;
		return 0;
	}
	if (strcmp(type, "DELETED") == 0) {
		out->kind = SLICE_DELETED;
		return 0;
	}
	if (strcmp(type, "ADDED") != 0 && strcmp(type, "MODIFIED") != 0)
		return err_set(err, "event type \"%.20s\" is not known", type);
	out->kind = SLICE_SET;
	return add_slice(object, family, out, err);
}

void slice_parse_status(const char *json, size_t len, char text[static SLICE_TEXT_MAX])
{
	struct err ignored = {0};
	auto_json *status = parse(json, len, &ignored);

	printable(status ? text_of(status, "message") : "", text);
}
