// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>

struct err;
struct hostlist;

/*
 * A file of machines, one in a line: its role, its address or name, then words KEY=VALUE in any
 * order. # begins a comment, at the begin of a line or behind a blank.
 *
 *   master 10.0.0.1 name=cp1
 *   node   10.0.0.11 port=2222 user=ops labels=disk=ssd,rack=a7 taints=gpu=yes:NoSchedule
 *
 * port, user: of the login. name: of the Kubernetes node. labels, taints: of the node; taints=- for
 * a master that takes pods, too.
 */
int inventory_read(const char *file, struct hostlist *l, struct err *err);
/* From text; name stands in messages. Every mistake is a usage error with its line. */
int inventory_parse(const char *text, size_t len, const char *name, struct hostlist *l,
                    struct err *err);
