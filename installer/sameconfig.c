// SPDX-License-Identifier: Apache-2.0
/* What is asked for a cluster that exists must be what it has: nothing of it is changed here, and
 * machines that join must get the values that the members have. */
#include "agreement.h"
#include "configcheck.h"
#include "err.h"
#include "installation.h"
#include "mem.h"
#include "strbuf.h"

static const json_t *record_of(const struct installation *in)
{
	return json_object_get(json_object_get(in->seed->facts, "state"), "cluster");
}

/* The port of its API servers, as its record has it, is the default of this run. */
static void check_port(struct installation *in, struct strlist *findings)
{
	struct cluster_config *cfg = &in->session.cfg;
	const json_t *record = record_of(in);
	uint16_t port = (uint16_t)json_integer_value(json_object_get(record, "bind_port"));

	if (!port)
		return;
	cfg->api_port = port;
	if (config_bind_port(cfg) != port)
		strlist_addf(findings,
		             "--config: InitConfiguration.localAPIEndpoint.bindPort: %u, but the "
		             "cluster's API servers have %u",
		             config_bind_port(cfg), port);
}

/* What the record has of the cluster, for when its API server does not answer. */
static json_t *recorded(const struct installation *in)
{
	const json_t *r = record_of(in);

	return json_pack("[{ss sO* s{sO* sO*}}]", "kind", "ClusterConfiguration",
	                 "controlPlaneEndpoint", json_object_get(r, "vip"), "networking",
	                 "podSubnet", json_object_get(r, "pod_cidr"), "serviceSubnet",
	                 json_object_get(r, "service_cidr"));
}

int check_same_config(struct installation *in, struct err *err)
{
	struct session *s = &in->session;
	auto_strlist findings = {0};
	json_t *living;

	if (!is_member(in, in->seed))
		return 0;
	check_port(in, &findings);
	if (jobs_run_one(&s->jobs, in->seed, "configuration", "the cluster's configuration",
	                 json_pack("{sb}", "all", s->opt->config != NULL)) == 0) {
		living = json_incref(json_object_get(in->seed->result, "docs"));
	} else if (s->opt->config) {
		return err_set(err, "%s: --config cannot be compared with the cluster: %s",
		               in->seed->host->name, in->seed->err.msg);
	} else {
		in->seed->failed = false; /* whether it answers is judged in the end */
		living = recorded(in);
	}
	agreement_check(&s->cfg, living, &findings);
	json_decref(living);
	session_config_findings(s, &findings);
	return configcheck_refuse(&findings, err);
}
