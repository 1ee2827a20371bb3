// SPDX-License-Identifier: Apache-2.0
#include "containers.h"

#include "err.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

#define CRICTL            DIR_CURRENT "/bin/crictl"
#define CONTAINERD_SOCKET "unix:///run/containerd/containerd.sock"
#define COMMAND_S         60

static int crictl(const char *const words[], int seconds, struct strbuf *out, struct err *err)
{
	const struct proc_opts opts = {.timeout_s = seconds};
	auto_strlist argv = {0};

	strlist_add(&argv, CRICTL);
	strlist_add(&argv, "--runtime-endpoint=" CONTAINERD_SOCKET);
	for (; *words; words++)
		strlist_add(&argv, *words);
	return proc_check((const char *const *)argv.v, &opts, out, err);
}

int containers_end(const char *name, int seconds, struct err *err)
{
	auto_free char *label = xasprintf("--label=io.kubernetes.container.name=%s", name);
	auto_free char *limit = xasprintf("--timeout=%d", seconds);
	const char *const list[] = {"ps", "--quiet",
	                            "--label=io.kubernetes.pod.namespace=kube-system", label, NULL};
	auto_strbuf ids = {0};
	char *next, *id;

	if (crictl(list, COMMAND_S, &ids, err) < 0)
		return -1;
	next = ids.len ? ids.buf : NULL;
	while ((id = strsep(&next, "\n"))) {
		const char *const stop[] = {"stop", limit, id, NULL};

		if (*id && crictl(stop, seconds + COMMAND_S, NULL, err) < 0)
			return -1;
	}
	return 0;
}
