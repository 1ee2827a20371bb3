// SPDX-License-Identifier: Apache-2.0
#include "apiserver.h"

#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "staticpods.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

#define KUBECTL   DIR_CURRENT "/bin/kubectl"
#define COMMAND_S 6

void apiserver_local(struct apiserver *a, const struct static_pods *p)
{
	apiserver_at(a, p->apiserver ? p->api_address : NULL, p->api_port);
}

void apiserver_at(struct apiserver *a, const char *address, const char *port)
{
	a->conf = fs_exists(ADMIN_CONF) ? ADMIN_CONF : KUBELET_CONF;
	if (!address)
		a->server = xstrdup("");
	else
		a->server = xasprintf(strchr(address, ':') ? "https://[%s]:%s" : "https://%s:%s",
		                      address, port ? port : "6443");
}

void apiserver_release(struct apiserver *a)
{
	free(a->server);
	a->server = NULL;
}

int apiserver_kubectl(const struct apiserver *a, int seconds, const char *const words[],
                      struct strbuf *out, struct err *err)
{
	const struct proc_opts opts = {.timeout_s = seconds};
	auto_strlist argv = {0};
	auto_strbuf said = {0};
	int status;

	strlist_add(&argv, KUBECTL);
	strlist_addf(&argv, "--kubeconfig=%s", a->conf);
	if (*a->server)
		strlist_addf(&argv, "--server=%s", a->server);
	for (; *words; words++)
		strlist_add(&argv, *words);
	status = proc_run((const char *const *)argv.v, &opts, out, &said, err);
	if (status > 0)
		err_set(err, "%.*s", (int)strcspn(strbuf_str(&said), "\n"), strbuf_str(&said));
	return status == 0 ? 0 : -1;
}

int apiserver_as_admin(int seconds, const char *const words[], const char *input,
                       struct strbuf *out, struct err *err)
{
	static const char *const env[] = {"KUBECONFIG=" ADMIN_CONF, NULL};
	const struct proc_opts opts = {.timeout_s = seconds,
	                               .env = env,
	                               .stdin_data = input,
	                               .stdin_len = input ? strlen(input) : 0};
	auto_strlist argv = {0};

	strlist_add(&argv, KUBECTL);
	for (; *words; words++)
		strlist_add(&argv, *words);
	return proc_check((const char *const *)argv.v, &opts, out, err);
}

int apiserver_get_text(const struct apiserver *a, const char *path, struct strbuf *out,
                       struct err *err)
{
	const char *words[] = {"--request-timeout=4s", "get", "--raw", path, NULL};

	return apiserver_kubectl(a, COMMAND_S, words, out, err);
}

json_t *apiserver_get(const struct apiserver *a, const char *path, struct err *err)
{
	auto_strbuf out = {0};
	json_t *v;

	if (apiserver_get_text(a, path, &out, err) < 0)
		return NULL;
	v = json_loadb(strbuf_str(&out), out.len, 0, NULL);
	if (!v)
		err_set(err, "the answer is not JSON");
	return v;
}

int apiserver_version(const struct apiserver *a, json_t *out, struct err *err)
{
	json_t *v = apiserver_get(a, "/version", err);

	if (!v)
		return -1;
	json_object_set_new(out, "version", json_string(json_text(v, "gitVersion")));
	if (*json_text(v, "emulationMinor"))
		json_object_set_new(out, "emulates",
		                    json_sprintf("%s.%s", json_text(v, "emulationMajor"),
		                                 json_text(v, "emulationMinor")));
	json_decref(v);
	return 0;
}
