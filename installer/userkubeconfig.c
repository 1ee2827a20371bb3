// SPDX-License-Identifier: Apache-2.0
/* certs kubeconfig on a master (op "user_kubeconfig"): kubeadm signs a client certificate for a
 * person and writes the kubeconfig that it is used with. Nothing is kept on the machine. */
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "state.h"
#include "staticpods.h"
#include "stored.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KUBEADM   DIR_CURRENT "/bin/kubeadm"
#define COMMAND_S 60

/* kubeadm's configuration, with the address that the person reaches: JSON documents are YAML. */
static int write_config(const struct static_pods *p, const char *server, const char *path,
                        struct err *err)
{
	json_t *cluster = stored_cluster_configuration(err), *init;
	auto_free char *endpoint = *server ? xstrdup(server)
	                                   : xasprintf("%s:%s", p->api_address, p->api_port);
	auto_free char *first = NULL, *second = NULL, *both = NULL;

	if (!cluster)
		return -1;
	json_object_set_new(cluster, "controlPlaneEndpoint", json_string(endpoint));
	init = json_pack("{ss ss s{ss si}}", "apiVersion", json_text(cluster, "apiVersion"), "kind",
	                 "InitConfiguration", "localAPIEndpoint", "advertiseAddress",
	                 p->api_address, "bindPort", atoi(p->api_port));
	first = json_dumps(cluster, JSON_COMPACT);
	second = json_dumps(init, JSON_COMPACT);
	both = xasprintf("%s\n---\n%s\n", first, second);
	json_decref(cluster);
	json_decref(init);
	return fs_write_atomic(path, both, strlen(both), 0600, err);
}

static int run_kubeadm(const json_t *args, const char *name, const char *config, struct strbuf *out,
                       struct err *err)
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S};
	json_int_t hours = json_integer_value(json_object_get(args, "hours"));
	auto_strlist argv = {0};
	size_t i;
	json_t *group;

	strlist_add(&argv, KUBEADM);
	strlist_add(&argv, "kubeconfig");
	strlist_add(&argv, "user");
	strlist_addf(&argv, "--config=%s", config);
	strlist_addf(&argv, "--client-name=%s", name);
	strlist_addf(&argv, "--validity-period=%lldh", (long long)hours);
	json_array_foreach (json_object_get(args, "groups"), i, group)
		strlist_addf(&argv, "--org=%s", json_string_value(group));
	return proc_check((const char *const *)argv.v, &opts, out, err);
}

int op_user_kubeconfig(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *name = arg_string(args, "name", err);
	auto_free char *config = fs_temp_beside(DIR_STATE "/kubeconfig");
	auto_strbuf out = {0};
	struct static_pods p;
	int rc;

	(void)n;
	if (!name)
		return -1;
	static_pods_read(&p);
	if (p.apiserver && p.api_address && p.api_port)
		rc = write_config(&p, json_text(args, "server"), config, err);
	else
		rc = err_set(err, "this machine has no API server: take a master");
	if (rc == 0)
		rc = run_kubeadm(args, name, config, &out, err);
	unlink(config);
	static_pods_release(&p);
	if (rc == 0) {
		journal("a kubeconfig was made for %s", name);
		json_object_set_new(result, "kubeconfig", json_string(strbuf_str(&out)));
	}
	if (out.buf)
		explicit_bzero(out.buf, out.len); /* it has a private key */
	return rc;
}
