// SPDX-License-Identifier: Apache-2.0
#include "containers.h"

#include "err.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CRICTL            DIR_CURRENT "/bin/crictl"
#define CTR               DIR_CURRENT "/bin/ctr"
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

/* ---- images ---- */

static int ctr(const char *const words[], struct strbuf *out, struct err *err)
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S};
	auto_strlist argv = {0};

	strlist_add(&argv, CTR);
	strlist_add(&argv, "--namespace=k8s.io");
	for (; *words; words++)
		strlist_add(&argv, *words);
	return proc_check((const char *const *)argv.v, &opts, out, err);
}

/* The second word of each line after the first: CONTAINER IMAGE RUNTIME. */
int containers_images(struct strlist *out, struct err *err)
{
	static const char *const list[] = {"containers", "ls", NULL};
	auto_strbuf text = {0};
	char *next, *line;

	if (ctr(list, &text, err) < 0)
		return -1;
	next = text.len ? text.buf : NULL;
	strsep(&next, "\n");
	while ((line = strsep(&next, "\n"))) {
		char *image = NULL;

		if (sscanf(line, "%*s %ms", &image) == 1)
			strlist_add(out, image);
		free(image);
	}
	return 0;
}

bool containers_have_image(const char *ref, const char *digest)
{
	auto_free char *filter = xasprintf("name==%s", ref);
	const char *const list[] = {"images", "ls", filter, NULL};
	auto_strbuf text = {0};
	struct err ignored = {0};

	return ctr(list, &text, &ignored) == 0 && strstr(strbuf_str(&text), digest);
}

int containers_remove_image(const char *ref, struct err *err)
{
	const char *const remove[] = {"rmi", ref, NULL};

	return crictl(remove, COMMAND_S, NULL, err);
}
