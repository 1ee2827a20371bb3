// SPDX-License-Identifier: Apache-2.0
#include "ports.h"

#include "config.h"
#include "err.h"
#include "host.h"
#include "jobs.h"
#include "json.h"
#include "mem.h"
#include "preflight_checks.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define VXLAN_PORT   8472
#define KUBELET_PORT 10250
#define LISTEN_S     20 /* and some for each machine that waits for its turn */
#define LISTEN_MAX_S 180
#define SHOWN        3 /* machines named in a row */

/* ---- who needs what of whom ---- */

struct need {
	int port;
	bool udp;
	bool by_masters_only;
	bool by_all; /* else: masters by all machines */
};

/* The ports of this machine that others use. */
static size_t needs_of(const struct candidate *c, const struct cluster_config *cfg,
                       struct need v[static 6])
{
	size_t n = 0;

	v[n++] = (struct need){.port = KUBELET_PORT, .by_masters_only = true};
	if (json_flag(c->facts, "flannel"))
		v[n++] = (struct need){.port = VXLAN_PORT, .udp = true, .by_all = true};
	if (!c->master)
		return n;
	v[n++] = (struct need){.port = config_bind_port(cfg), .by_all = true};
	v[n++] = (struct need){.port = 2379, .by_masters_only = true};
	v[n++] = (struct need){.port = 2380, .by_masters_only = true};
	return n;
}

static bool takes_part(const struct candidate *c, char addr[static 64])
{
	return c->facts && *candidate_address(c, addr) && candidate_state(c) != NODE_FOREIGN;
}

json_t *ports_listen_args(const struct candidate *c, const struct cluster_config *cfg,
                          size_t machines, const char *nonce)
{
	struct need v[6];
	char addr[64];
	json_t *tcp, *udp;
	size_t n, seconds = LISTEN_S + machines;

	if (!takes_part(c, addr))
		return NULL;
	tcp = json_array();
	udp = json_array();
	n = needs_of(c, cfg, v);
	for (size_t i = 0; i < n; i++)
		if (!fact_has_number(c->facts, v[i].udp ? "udp_busy" : "ports_busy", v[i].port))
			json_array_append_new(v[i].udp ? udp : tcp, json_integer(v[i].port));
	return json_pack("{ss so so ss si}", "address", addr, "tcp", tcp, "udp", udp, "nonce",
	                 nonce, "seconds", (int)(seconds < LISTEN_MAX_S ? seconds : LISTEN_MAX_S));
}

/* How a port can be tried: "nonce": something of ours listens, "": a port in use on a member, NULL:
 * not at all. */
static const char *how(const struct candidate *c, const struct need *need, const json_t *listen)
{
	const json_t *args = json_object_get(listen, "args");
	enum node_state state = candidate_state(c);

	if (fact_has_number(json_object_get(listen, "opened"), need->udp ? "udp" : "tcp",
	                    need->port))
		return json_text(args, "nonce");
	if (!need->udp && state != NODE_FRESH &&
	    fact_has_number(c->facts, "ports_busy", need->port))
		return "";
	return NULL;
}

static bool wants(const struct candidate *from, const struct need *need)
{
	return need->by_all || from->master || !need->by_masters_only;
}

json_t *ports_reach_args(const struct candidate *c, size_t n, size_t self,
                         const struct cluster_config *cfg, const json_t *listens)
{
	json_t *targets = json_array();
	size_t left_out = 0;
	char addr[64];

	/* masters come first in the list of machines; of the others each begins with its
	 * neighbour, so that a sample covers all */
	for (size_t k = 0; k < 2 * n; k++) {
		size_t i = (k < n ? k : self + 1 + k) % n;
		struct need v[6];
		size_t needs;

		if (i == self || c[i].master != (k < n) || !takes_part(&c[i], addr))
			continue;
		needs = needs_of(&c[i], cfg, v);
		for (size_t m = 0; m < needs; m++) {
			const char *nonce = how(&c[i], &v[m], json_array_get(listens, i));

			if (!nonce || !wants(&c[self], &v[m]))
				continue;
			if (json_array_size(targets) == PORTS_TARGETS_MAX) {
				left_out++;
				continue;
			}
			json_array_append_new(
			    targets, json_pack("{sI ss si ss ss}", "machine", (json_int_t)i,
			                       "address", addr, "port", v[m].port, "proto",
			                       v[m].udp ? "udp" : "tcp", "nonce", nonce));
		}
	}
	return json_pack("{so sI}", "targets", targets, "left_out", (json_int_t)left_out);
}

/* ---- what came out ---- */

/* All that failed in the same way at one machine. */
struct failure {
	size_t target;
	char *port, *cause;
	struct strlist from;
	bool shown;
};

struct failures {
	struct failure *v;
	size_t n;
};

static struct failure *failure_of(struct failures *all, size_t target, const char *port,
                                  const char *cause)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].target == target && strcmp(all->v[i].port, port) == 0 &&
		    strcmp(all->v[i].cause, cause) == 0)
			return &all->v[i];
	all->v = xreallocarray(all->v, all->n + 1, sizeof(*all->v));
	all->v[all->n] = (struct failure){
	    .target = target, .port = xstrdup(port), .cause = xstrdup(cause)};
	return &all->v[all->n++];
}

static void collect(struct failures *all, const struct candidate *c, size_t n, size_t self,
                    const json_t *reach)
{
	const json_t *targets = json_object_get(json_object_get(reach, "args"), "targets");
	const json_t *states = json_object_get(json_object_get(reach, "result"), "states");
	size_t i;
	json_t *t;

	json_array_foreach (targets, i, t) {
		const char *state = json_string_value(json_array_get(states, i));
		size_t target = (size_t)fact_number(t, "machine", 0);
		char port[32];

		if (!state || !*state || target >= n)
			continue; /* reached, or an answer that is none */
		snprintf(port, sizeof(port), "%lld/%s", fact_number(t, "port", 0),
		         json_text(t, "proto"));
		strlist_add(&failure_of(all, target, port, state)->from, c[self].name);
	}
}

static bool same_from(const struct failure *a, const struct failure *b)
{
	if (a->target != b->target || a->from.n != b->from.n || strcmp(a->cause, b->cause) != 0)
		return false;
	for (size_t i = 0; i < a->from.n; i++)
		if (strcmp(a->from.v[i], b->from.v[i]) != 0)
			return false;
	return true;
}

/* One row for the ports that the same machines cannot reach for the same cause. */
static void show(struct failures *all, size_t first, const struct candidate *c,
                 struct findings *out)
{
	const struct failure *f = &all->v[first];
	const struct candidate *to = &c[f->target];
	auto_strbuf from = {0}, ports = {0};
	auto_strlist list = {0};
	auto_free char *fix = NULL;
	char addr[64];

	for (size_t i = 0; i < f->from.n && i < SHOWN; i++)
		strbuf_addf(&from, "%s%s", i ? ", " : "", f->from.v[i]);
	if (f->from.n > SHOWN)
		strbuf_addf(&from, " and %zu more", f->from.n - SHOWN);
	for (size_t i = first; i < all->n; i++) {
		if (all->v[i].shown || !same_from(&all->v[i], f))
			continue;
		all->v[i].shown = true;
		strbuf_addf(&ports, "%s%s", ports.len ? ", " : "", all->v[i].port);
		strlist_add(&list, all->v[i].port);
	}
	fix = firewall_open(to, &list);
	finding_add(out, to, "Reach", LEVEL_ERROR, fix, "%s cannot reach %s port%s %s: %s",
	            strbuf_str(&from), candidate_address(to, addr), list.n > 1 ? "s" : "",
	            strbuf_str(&ports), f->cause);
}

void ports_judge(const struct candidate *c, size_t n, const json_t *reaches, struct findings *out)
{
	struct failures all = {0};
	long long left_out = 0, tried = 0;

	for (size_t i = 0; i < n; i++) {
		const json_t *r = json_array_get(reaches, i);
		const json_t *args = json_object_get(r, "args");

		collect(&all, c, n, i, r);
		left_out += fact_number(args, "left_out", 0);
		tried += (long long)json_array_size(json_object_get(args, "targets"));
	}
	for (size_t i = 0; i < all.n; i++)
		if (!all.v[i].shown)
			show(&all, i, c, out);
	if (left_out)
		finding_add(out, &c[0], "Reach", LEVEL_INFO, "",
		            "of %lld pairs of machine and port %lld were tried", tried + left_out,
		            tried);
	for (size_t i = 0; i < all.n; i++) {
		free(all.v[i].port);
		free(all.v[i].cause);
		strlist_release(&all.v[i].from);
	}
	free(all.v);
}

/* ---- the two rounds ---- */

struct round {
	struct jobs *jobs;
	json_t *args; /* one for each machine; null: takes no part */
};

static json_t *round_args_of(const struct round *r, const struct job *j)
{
	return json_array_get(r->args, (size_t)(j - r->jobs->v));
}

static bool round_pick(const struct job *j, void *ctx)
{
	return json_is_object(round_args_of(ctx, j));
}

static json_t *round_args(const struct job *j, void *ctx)
{
	return json_incref(round_args_of(ctx, j));
}

static json_t *stop_args(const struct job *j, void *ctx)
{
	(void)j;
	(void)ctx;
	return json_pack("{sb}", "stop", 1);
}

static void make_nonce(char out[static PORTS_NONCE_LEN + 1])
{
	uint8_t raw[PORTS_NONCE_LEN / 2];

	/* marks the answers of our own listeners; it is no secret */
	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		memset(raw, 0x5a, sizeof(raw));
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

static json_t *null_or(json_t *v)
{
	return v ? v : json_null();
}

/* {args, KEY: the machine's answer} for each machine that took part. */
static json_t *answers(const struct round *r, const char *key)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->jobs->n; i++) {
		const struct job *j = &r->jobs->v[i];

		json_array_append_new(
		    list, round_pick(j, (void *)(uintptr_t)r) && !j->failed && j->result
			      ? json_pack("{sO sO}", "args", round_args_of(r, j), key, j->result)
			      : json_null());
	}
	return list;
}

void ports_try(struct jobs *jobs, const struct candidate *c, const struct cluster_config *cfg,
               struct findings *out)
{
	struct round listen = {jobs, json_array()}, reach = {jobs, json_array()};
	json_t *listens, *reaches;
	size_t parts = 0;

	for (size_t i = 0; i < jobs->n; i++) {
		char nonce[PORTS_NONCE_LEN + 1];
		json_t *args;

		make_nonce(nonce);
		args = jobs->v[i].failed ? NULL : ports_listen_args(&c[i], cfg, jobs->n, nonce);
		parts += args != NULL;
		json_array_append_new(listen.args, null_or(args));
	}
	if (parts > 1) {
		jobs_run(jobs, "listen", "open ports for a test", round_pick, round_args, &listen);
		listens = answers(&listen, "opened");
		for (size_t i = 0; i < jobs->n; i++)
			json_array_append_new(reach.args,
			                      json_is_object(json_array_get(listens, i))
			                          ? ports_reach_args(c, jobs->n, i, cfg, listens)
			                          : json_null());
		jobs_run(jobs, "reach", "try the ports", round_pick, round_args, &reach);
		reaches = answers(&reach, "result");
		jobs_run(jobs, "listen", "close the ports", round_pick, stop_args, &listen);
		ports_judge(c, jobs->n, reaches, out);
		findings_ignore(out, cfg, cfg->ignore);
		json_decref(listens);
		json_decref(reaches);
	}
	json_decref(listen.args);
	json_decref(reach.args);
}
