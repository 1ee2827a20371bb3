// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>

/*
 * What a machine is and has, for the controller's preflight (op "facts"). Each function adds its
 * members to out and reads only; what cannot be read is left out. Lists are at most FACTS_MAX long.
 */
#define FACTS_MAX 64

/* Kernel, CPUs, memory, cgroups, modules. args.modules: names that are needed, each perhaps with
 * alternatives ("a or b"). */
void facts_kernel(const json_t *args, json_t *out);
/* Addresses, routes, ports in use, leftover network devices. */
void facts_net(json_t *out);
/* Name servers as pods would get them, proxy variables. */
void facts_names(json_t *out);
/* One object for each directory that is filled: its file system, room, options. args.etcd_dir:
 * where etcd's data is to be. */
void facts_disk(const json_t *args, json_t *out);
/* Other runtimes and clusters, drop-ins and environment files of our units, CNI files. */
void facts_leftovers(json_t *out);
/* Firewalls: base chains that refuse packets, chains that an earlier cluster left. */
void facts_firewall(json_t *out);
/* SELinux and AppArmor. */
void facts_security(json_t *out);

/* ---- helpers of these ---- */

/* Sets a string whose control characters are replaced. */
void facts_string(json_t *o, const char *key, const char *value);
/* Appends such a string to a list unless it is there or the list is full. */
void facts_add(json_t *list, const char *value);
/* First line of a file, or "". The caller's. */
char *facts_first_line(const char *path);
/* Calls fn for each line of a file; a file that cannot be read has none. */
void facts_each_line(const char *path, void (*fn)(void *ctx, char *line), void *ctx);
/* Whether systemd says that the unit is active. */
bool facts_unit_active(const char *unit);
