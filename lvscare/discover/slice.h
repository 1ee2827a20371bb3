/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "masters.h"

/*
 * What an API server says about the EndpointSlice of service default/kubernetes, in JSON
 * (discovery.k8s.io/v1; kubernetes.io/docs/reference/using-api/api-concepts, "Efficient detection
 * of changes"): the answer to a list, and the events of a watch, one document each. Pure.
 */
#define SLICE_VERSION_MAX 64
#define SLICE_TEXT_MAX    160

enum slice_kind {
	SLICE_SET,      /* these are the masters */
	SLICE_DELETED,  /* there is no slice */
	SLICE_BOOKMARK, /* nothing but a version */
	SLICE_ERROR,    /* status and text say why the watch is over; 410: list again */
};

struct slice {
	enum slice_kind kind;
	char version[SLICE_VERSION_MAX]; /* resourceVersion to watch from */
	struct addrs masters;            /* of one address family, perhaps none */
	int status;
	char text[SLICE_TEXT_MAX]; /* printable */
};

/* An EndpointSliceList: kind is SLICE_SET. Endpoints of other families than family are left out,
 * ports other than that of https too; whether a server is ready is not asked here. */
int slice_parse_list(const char *json, size_t len, int family, struct slice *out, struct err *err);
/* An event of a watch. */
int slice_parse_event(const char *json, size_t len, int family, struct slice *out, struct err *err);
/* The message of a Status, printable, or "" when json is none. */
void slice_parse_status(const char *json, size_t len, char text[static SLICE_TEXT_MAX]);
