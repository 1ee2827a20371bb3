/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct events;

/*
 * The two IPVS switches that failover needs (kernel: Documentation/networking/ipvs-sysctl.rst):
 * expire_nodest_conn=1, so that connections to a removed server are reset at their next packet, and
 * conntrack=1, so that stateful firewalls see whole connections.
 */
#define SYSCTL_DIR      "/proc/sys/net/ipv4/vs"
#define SYSCTL_SWITCHES 2

struct sysctl {
	const char *dir; /* SYSCTL_DIR; tests use another one */
	bool told;       /* a failure was told already */
};

/* Compares and repairs. Where it cannot (read-only in a pod, switch not compiled in) it says so
 * once. */
void sysctl_apply(struct sysctl *s, struct events *ev);

/* The i-th switch of SYSCTL_SWITCHES: its name, and whether it is on. */
const char *sysctl_name(unsigned i);
bool sysctl_on(const char *dir, unsigned i);
