// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>

struct err;
struct static_pods;
struct strbuf;

/* Questions of a machine to an API server, by the bundle's kubectl; each ends within seconds. */
struct apiserver {
	const char *conf; /* kubeconfig */
	char *server;     /* URL; "": as the kubeconfig says */
};

/* This machine's own API server; the one of the kubeconfig where there is none. */
void apiserver_local(struct apiserver *a, const struct static_pods *p);
/* The one at that address (NULL: as the kubeconfig says) and port (NULL: 6443). */
void apiserver_at(struct apiserver *a, const char *address, const char *port);
void apiserver_release(struct apiserver *a);

/* kubectl with these words, ended after so many seconds. What it prints is appended to out, also
 * when it fails: then err has the first line of its complaint. */
int apiserver_kubectl(const struct apiserver *a, int seconds, const char *const words[],
                      struct strbuf *out, struct err *err);
/* kubectl with these words as the cluster's administrator, on a master; input (may be NULL) is what
 * it reads. Any exit status but 0 is a failure, whose err quotes its last lines. */
int apiserver_as_admin(int seconds, const char *const words[], const char *input,
                       struct strbuf *out, struct err *err);
/* GET path. NULL with err; the caller's. */
json_t *apiserver_get(const struct apiserver *a, const char *path, struct err *err);
/* The same for an answer that is not JSON, appended to out. */
int apiserver_get_text(const struct apiserver *a, const char *path, struct strbuf *out,
                       struct err *err);
/* Sets out's "version" ("v1.37.2") and, where it says so, "emulates" ("1.36"). */
int apiserver_version(const struct apiserver *a, json_t *out, struct err *err);
