// SPDX-License-Identifier: Apache-2.0
#include "absent.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "state.h"

#include <stdbool.h>

/* Deepest first. */
static const char *const dirs[] = {"/etc/cni/net.d",
                                   "/etc/cni",
                                   "/opt/cni/bin",
                                   "/opt/cni",
                                   "/opt/containerd/bin",
                                   "/opt/containerd/lib",
                                   "/opt/containerd",
                                   "/etc/ssl/certs",
                                   "/etc/ssl",
                                   "/etc/ca-certificates",
                                   "/etc/pki/ca-trust",
                                   "/etc/pki/tls/certs",
                                   "/etc/pki/tls",
                                   "/etc/pki",
                                   "/usr/share/ca-certificates",
                                   "/usr/local/share/ca-certificates",
                                   "/usr/libexec/kubernetes/kubelet-plugins/volume/exec",
                                   "/usr/libexec/kubernetes/kubelet-plugins/volume",
                                   "/usr/libexec/kubernetes/kubelet-plugins",
                                   "/usr/libexec/kubernetes"};

int absent_note(struct err *err)
{
	json_t *state = NULL, *list;
	bool known;

	if (state_read(&state, err) < 0)
		return -1;
	known = json_object_get(state, "absent") != NULL;
	json_decref(state);
	if (known)
		return 0;
	list = json_array();
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (!fs_exists(dirs[i]))
			json_array_append_new(list, json_string(dirs[i]));
	return state_set("absent", list, err);
}
