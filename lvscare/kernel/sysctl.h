/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct events;

/*
 * The two IPVS switches that failover needs (kernel: Documentation/networking/ipvs-sysctl.rst).
 *
 * conntrack=1: stateful firewalls see whole connections.
 *
 * expire_nodest_conn=1: connections to a removed server are reset at their next packet, and a first
 * packet on its way to a drained one is given another. The same switch makes IPVS forget all
 * connections when others flush it. So it is 1 from just before a server is removed or drained
 * until a while later, and 0 in quiet times, in which connections outlive a flush. Where it
 * cannot be written (/proc/sys is read-only in a pod without SYSCTL_POD_DIR), or somebody else's
 * services are there, it has to be 1 all the time.
 */
#define SYSCTL_DIR      "/proc/sys/net/ipv4/vs"
#define SYSCTL_POD_DIR  "/host/proc/sys/net/ipv4/vs" /* the node's, mounted into the pod */
#define SYSCTL_SWITCHES 2
#define SYSCTL_HOLD_MS  4000 /* SYNs are sent again within it, after 1 and 3 s */
/* Before Linux 5.9 connections are reset when a packet comes: HTTP/2 pings do within it. */
#define SYSCTL_LONG_HOLD_MS 30000
#define SYSCTL_START_MS     3000 /* the same at a start */

struct sysctl {
	const char *dir;  /* sysctl_dir(); tests use another one */
	unsigned hold_ms; /* sysctl_hold_ms() */
	bool failure_logged;
	bool may_be_quiet; /* connections may be kept in quiet times */
	bool quiet;        /* expire_nodest_conn was set to 0 */
	uint64_t quiet_at; /* ms: when it may be; 0: not looked at yet */
};

/* The folder that can be written, or SYSCTL_DIR. */
const char *sysctl_dir(void);
/* How long the switch is 1 after a change, by the kernel's release as uname(2) has it. */
unsigned sysctl_hold_ms(const char *release);
/* Whether expire_nodest_conn can be written there. */
bool sysctl_writable(const struct sysctl *s);
/* Compares and repairs. Where it cannot (read-only in a pod, switch not compiled in) it says so
 * once. */
void sysctl_apply(struct sysctl *s, struct events *ev);
/* A server is about to be removed or drained: expire_nodest_conn is 1 from now on. */
void sysctl_expect_removal(struct sysctl *s, struct events *ev);
/* Sets expire_nodest_conn back to 1, as nobody looks after it any more. */
void sysctl_end(struct sysctl *s);

/* The i-th switch of SYSCTL_SWITCHES: its name, and whether it is on. */
const char *sysctl_name(unsigned i);
bool sysctl_on(const char *dir, unsigned i);
