// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config.h"
#include "preflight.h"

/* The checks, by topic. Facts are untrusted: a missing or wrong member counts as "unknown". */

enum level { LEVEL_INFO, LEVEL_WARNING, LEVEL_ERROR };

/* Adds a row; fix is a command or a sentence. Control characters in both are replaced. */
void finding_add(struct findings *f, const struct candidate *c, const char *check, enum level level,
                 const char *fix, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Turns errors of the checks that are to be ignored into warnings. */
void findings_ignore(struct findings *f, const struct cluster_config *cfg,
                     const struct strlist *ignore);

/* What the node is called: the name given, else the hostname. */
const char *candidate_node_name(const struct candidate *c);
/* The word as a shell takes it: quoted unless its characters are plain. For fixes: what a machine
 * says must not become a command of its own. The caller's. */
char *shell_word(const char *s);
long long fact_number(const json_t *facts, const char *key, long long missing);
/* The strings of a list with ", " between, at most max of them (then " ..."). The caller's. */
char *fact_join(const json_t *facts, const char *key, size_t max);
/* Is the number in the list under that key? */
bool fact_has_number(const json_t *facts, const char *key, int number);

/* System, CPUs, memory, names, clock, swap, SELinux, proxies (preflight_system.c). */
void check_system(const struct candidate *c, struct findings *f);
void check_size(const struct candidate *c, struct findings *f);
void check_clock(const struct candidate *c, struct findings *f);
void check_swap(const struct candidate *c, const struct cluster_config *cfg, struct findings *f);
void check_names(const struct candidate *c, struct findings *f);
void check_proxies(const struct candidate *c, const struct cluster_config *cfg, struct findings *f);
void check_security(const struct candidate *c, struct findings *f);
/* Kernel modules and kube-proxy's mode (preflight_kernel.c). */
void check_modules(const struct candidate *c, struct findings *f);
void check_proxy_mode(const struct candidate *c, size_t n, const struct cluster_config *cfg,
                      struct findings *f);
/* File systems (preflight_disk.c). */
void check_disk(const struct candidate *c, const struct cluster_config *cfg,
                const struct space *need, struct findings *f);
/* What others left (preflight_leftovers.c). */
void check_leftovers(const struct candidate *c, const struct cluster_config *cfg,
                     struct findings *f);
void check_foreign(const struct candidate *c, struct findings *f);
/* Addresses and networks (preflight_net.c). */
void check_networks(const struct candidate *c, const struct cluster_config *cfg,
                    struct findings *f);
void check_routes(const struct candidate *c, const struct cluster_config *cfg, struct findings *f);
void check_address(const struct candidate *c, const struct cluster_config *cfg, struct findings *f);
void check_dns(const struct candidate *c, struct findings *f);
/* Ports in use and firewalls (preflight_ports.c). */
void check_ports(const struct candidate *c, const struct cluster_config *cfg, struct findings *f);
void check_firewall(const struct candidate *c, const struct cluster_config *cfg,
                    struct findings *f);
/* The line that opens these ports ("6443/tcp", ...) in the firewall that the machine has. The
 * caller's. */
char *firewall_open(const struct candidate *c, const struct strlist *ports);

/* ---- the user's kubeadm documents (preflight_config.c) ---- */

/* kubelet's eviction threshold ("10%", "1Gi") of that signal, or its default. */
const char *user_eviction(const struct cluster_config *cfg, const char *signal,
                          const char *standard);
/* The ports that Kubernetes takes on a machine. Returns how many. */
#define PORTS_MAX_OF 8
size_t needed_ports(const struct cluster_config *cfg, bool master, int ports[PORTS_MAX_OF]);
