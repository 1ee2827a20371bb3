// SPDX-License-Identifier: Apache-2.0
#include "facts.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "oci.h"
#include "proc.h"
#include "proto.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROC_MAX  (4u << 20)
#define SYSTEMD_S 5

void facts_string(json_t *o, const char *key, const char *value)
{
	auto_free char *s = xstrdup(value);

	text_neutralise(s, false);
	json_object_set_new(o, key, json_string(s));
}

void facts_add(json_t *list, const char *value)
{
	auto_free char *s = xstrdup(value);
	size_t i;
	json_t *v;

	text_neutralise(s, false);
	if (json_array_size(list) >= FACTS_MAX)
		return;
	json_array_foreach (list, i, v)
		if (strcmp(json_string_value(v), s) == 0)
			return;
	json_array_append_new(list, json_string(s));
}

char *facts_first_line(const char *path)
{
	auto_strbuf text = {0};
	struct err err = {0};

	if (fs_read(path, PROC_MAX, &text, &err) < 0)
		return xstrdup("");
	return xstrndup(strbuf_str(&text), strcspn(strbuf_str(&text), "\n"));
}

void facts_each_line(const char *path, void (*fn)(void *ctx, char *line), void *ctx)
{
	auto_strbuf text = {0};
	struct err err = {0};
	char *next, *line;

	if (fs_read(path, PROC_MAX, &text, &err) < 0 || !text.len)
		return;
	next = text.buf;
	while ((line = strsep(&next, "\n")))
		fn(ctx, line);
}

bool facts_unit_active(const char *unit)
{
	const char *argv[] = {"systemctl", "is-active", unit, NULL};
	const struct proc_opts opts = {.timeout_s = SYSTEMD_S};
	auto_strbuf out = {0}, errout = {0};
	struct err err = {0};

	if (!fs_exists("/run/systemd/system"))
		return false;
	return proc_run(argv, &opts, &out, &errout, &err) >= 0 &&
	       (strncmp(strbuf_str(&out), "active", 6) == 0 ||
	        strncmp(strbuf_str(&out), "activating", 10) == 0);
}

int op_facts(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	auto_free char *machine_id = facts_first_line("/etc/machine-id");
	auto_free char *product = facts_first_line("/sys/class/dmi/id/product_uuid");
	struct timespec ts;

	/* before anything is looked at: an unfinished operation would change it */
	if (json_is_true(json_object_get(args, "lock")) && node_lock(n, err) < 0)
		return -1;
	json_object_set_new(result, "protocol", json_integer(PROTO_VERSION));
	json_object_set_new(result, "version", json_string(KUBECASK_VERSION));
	json_object_set_new(result, "uid", json_integer((json_int_t)geteuid()));
	facts_string(result, "arch", oci_host_arch());
	facts_string(result, "machine_id", machine_id);
	facts_string(result, "product_uuid", product);
	json_object_set_new(result, "flannel",
	                    json_boolean(json_is_true(json_object_get(args, "flannel"))));
	facts_kernel(args, result);
	facts_net(result);
	facts_names(result);
	facts_disk(args, result);
	facts_leftovers(result);
	facts_firewall(result);
	facts_security(result);
	clock_gettime(CLOCK_REALTIME, &ts);
	json_object_set_new(result, "time_ms",
	                    json_integer(ts.tv_sec * 1000LL + ts.tv_nsec / 1000000));
	return 0;
}
