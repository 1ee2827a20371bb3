// SPDX-License-Identifier: Apache-2.0
/* Results for people, on stdout. */
#include "print.h"

#include "certcheck.h"
#include "health.h"
#include "installation.h"
#include "json.h"
#include "strbuf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void print_nodes(const json_t *status)
{
	size_t i;
	json_t *n;

	printf("%-24s %-16s %-14s %-10s %s\n", "NAME", "ADDRESS", "ROLE", "VERSION", "STATUS");
	json_array_foreach (json_object_get(status, "nodes"), i, n)
		printf(
		    "%-24s %-16s %-14s %-10s %s\n", json_text(n, "name"), json_text(n, "address"),
		    json_is_true(json_object_get(n, "control_plane")) ? "control-plane" : "worker",
		    json_text(n, "version"),
		    json_is_true(json_object_get(n, "ready")) ? "Ready" : "NotReady");
}

/* What etcd's member on that node is: "leader", "follower", "learner", "down". */
static const char *member_word(const json_t *m)
{
	if (!m)
		return "-";
	if (!json_flag(m, "alive"))
		return "down";
	if (json_flag(m, "learner"))
		return "learner";
	return strcmp(json_text(m, "leader"), json_text(m, "id")) == 0 ? "leader" : "follower";
}

/* "3/3": how many API servers lvscare on that node finds up. */
static void lvscare_word(const json_t *row, char *out, size_t len)
{
	const json_t *servers = json_object_get(row, "servers");
	size_t i, up = 0;
	json_t *s;

	json_array_foreach (servers, i, s)
		up += strcmp(json_text(s, "state"), "up") == 0;
	if (json_is_array(servers))
		snprintf(out, len, "%zu/%zu", up, json_array_size(servers));
	else
		snprintf(out, len, row ? "?" : "-");
}

static void disk_word(const json_t *row, char *out, size_t len)
{
	json_int_t bytes = json_integer_value(json_object_get(row, "bytes"));
	json_int_t left = json_integer_value(json_object_get(row, "free"));

	if (bytes >= 100)
		snprintf(out, len, "%" PRIdMAX " %%", (intmax_t)(left / (bytes / 100)));
	else
		snprintf(out, len, "?");
}

static const char *api_server_word(const json_t *row)
{
	if (!row)
		return "-";
	return *json_text(row, "version") ? json_text(row, "version") : "down";
}

static void print_row(const json_t *health, const json_t *node)
{
	const char *name = json_text(node, "name");
	char lvscare[32], disk[24];

	lvscare_word(health_row(health, "lvscare", name), lvscare, sizeof(lvscare));
	disk_word(health_row(health, "disks", name), disk, sizeof(disk));
	printf("%-24s %-16s %-14s %-10s %-9s %-11s %-9s %-8s %s\n", name,
	       json_text(node, "address"),
	       json_flag(node, "control_plane") ? "control-plane" : "worker",
	       json_text(node, "version"), json_flag(node, "ready") ? "Ready" : "NotReady",
	       api_server_word(health_row(health, "api_servers", name)),
	       member_word(health_member(health, node)), lvscare, disk);
}

void print_health(const json_t *health)
{
	const json_t *cluster = json_object_get(health, "cluster");
	const json_t *nodes = json_object_get(cluster, "nodes");
	size_t i;
	json_t *node;

	if (!json_array_size(nodes))
		return;
	printf("%-24s %-16s %-14s %-10s %-9s %-11s %-9s %-8s %s\n", "NAME", "ADDRESS", "ROLE",
	       "VERSION", "STATUS", "API SERVER", "ETCD", "LVSCARE", "DISK FREE");
	json_array_foreach (nodes, i, node)
		print_row(health, node);
}

static void print_certificate(const json_t *row)
{
	time_t end = (time_t)json_integer_value(json_object_get(row, "ends"));
	long long life = (long long)end - json_integer_value(json_object_get(row, "begins"));
	auto_strbuf text = {0};
	char day[16] = "";
	struct tm tm;

	if (json_object_get(row, "ends")) {
		gmtime_r(&end, &tm);
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
		cert_life_text(life, &text);
	}
	printf("%-50s %-32s %-16s %-10s %s\n", json_text(row, "place"), json_text(row, "subject"),
	       json_text(row, "issuer"), day, strbuf_str(&text));
	if (*json_text(row, "note"))
		printf("    note: %s\n", json_text(row, "note"));
	if (*json_text(row, "problem"))
		printf("    PROBLEM: %s\n", json_text(row, "problem"));
}

void print_certificates(const json_t *result)
{
	const char *name;
	json_t *machine, *row;
	size_t i;

	json_object_foreach (json_object_get(result, "machines"), name, machine) {
		printf("%s\n%-50s %-32s %-16s %-10s %s\n", name, "CERTIFICATE", "SUBJECT",
		       "SIGNED BY", "ENDS", "LIFE");
		json_array_foreach (json_object_get(machine, "certificates"), i, row)
			print_certificate(row);
		printf("\n");
	}
	json_array_foreach (json_object_get(result, "not_asked"), i, row)
		printf("%s: not asked\n", json_string_value(row));
}

/* "sudo " in front of printed commands when the installation needed it, else "". */
static const char *as_root(const struct options *o)
{
	return strcmp(o->user, "root") != 0 || getenv("SUDO_USER") ? "sudo " : "";
}

void print_installed(const struct installation *in)
{
	const struct session *s = &in->session;
	const char *root = as_root(s->opt);
	char vip[ADDR_STR_MAX];

	print_nodes(s->result);
	printf("\nKubernetes %s is ready; every node reaches the API servers at %s.\n",
	       s->bundle.k8s_version, addr_str(&s->cfg.vip, vip));
	/* the whole path: sudo's secure_path often lacks /usr/local/bin */
	printf("Use it:         on %s, as root: %s/usr/local/bin/kubectl get nodes\n",
	       in->seed->host->name, root);
	printf("Add a machine:  ./install join --node ADDRESS   (on a master, with this bundle)\n"
	       "or by hand:     ./install node prepare          (on the new machine, with this "
	       "bundle)\n"
	       "                and there, as root, the line that\n"
	       "                %s/usr/local/bin/kubeadm token create --print-join-command\n"
	       "                prints on a master\n",
	       root);
	if (s->jobs.n == 1 && !in->record)
		printf("One machine:    %s/usr/local/bin/kubectl taint nodes --all "
		       "node-role.kubernetes.io/control-plane-\n"
		       "                lets it run your pods too\n",
		       root);
}

static void print_stayed(const char *machine, const char *word, const json_t *list)
{
	size_t i;
	json_t *e;

	json_array_foreach (list, i, e)
		printf("%s: %s: %s (%s)\n", machine, word, json_text(e, "what"),
		       json_text(e, "why"));
}

void print_reset(const json_t *result)
{
	const char *name, *remain = json_text(result, "etcd_remains");
	json_t *m;

	json_object_foreach (json_object_get(result, "machines"), name, m) {
		const char *error = json_text(m, "error");

		printf("%s: %s%s%s\n", name, json_text(m, "result"), *error ? ": " : "", error);
		print_stayed(name, "stayed", json_object_get(m, "stayed"));
		print_stayed(name, "stayed, could not be removed", json_object_get(m, "failed"));
	}
	if (*remain)
		printf("members of etcd that remain: %s\n", remain);
}
