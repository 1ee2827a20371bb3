// SPDX-License-Identifier: Apache-2.0
#include "kubeadm.h"

#include "conf.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "proc.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

#define DEADLINE_S 60

int kubeadm_list_images(const char *kube, const char *version, const char *work,
                        struct conf *record, struct err *err)
{
	auto_free char *full = realpath(kube, NULL);
	auto_free char *link = xasprintf("%s/kubeadm", work);
	const char *const argv[] = {link,    "config", "images", "list", "--kubernetes-version",
	                            version, NULL};
	const struct proc_opts opts = {.timeout_s = DEADLINE_S};
	auto_strbuf out = {0};

	if (!full)
		return err_set(err, "%s is not there", kube);
	if (fs_symlink_atomic(full, link, err) < 0 || proc_check(argv, &opts, &out, err) < 0)
		return -1;
	for (char *line = out.len ? strtok(out.buf, "\n") : NULL; line; line = strtok(NULL, "\n"))
		conf_set(record, "image", line);
	if (!record->n)
		return err_set(err, "kubeadm lists no images for %s", version);
	return 0;
}
