/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kernel/rules.h"

/*
 * What a running daemon says about itself: its page /status, lines of fields separated by tabs.
 * Unknown lines are skipped. Whoever answers need not be lvscare: nothing is trusted.
 */
struct daemon_server {
	struct addr addr;
	char state[16];
	unsigned long since; /* seconds in this state */
	char text[160];      /* what the last probe said */
};

struct daemon_status {
	char version[32]; /* "": this is no page of lvscare's */
	struct addr vs;
	char trouble[512]; /* "": healthy */
	bool failed_open;
	bool manages_expire;  /* expire_nodest_conn is 1 when it is needed */
	unsigned long uptime; /* seconds */
	long reconciled;      /* ms ago; -1: never */
	struct daemon_server server[DESTS_MAX];
	size_t n;
};

struct err;
struct strbuf;

/* Gets a page of the daemon at an address, of at most 64 KiB within 2 s. Returns the HTTP status,
 * or -1 with err. The only part of this program that waits. */
int daemon_get(const struct addr *daemon, const char *path, struct strbuf *body, struct err *err);
/* Asks the daemon at an address; -1 with err when none answers, or what answers is none. */
int daemon_read(const struct addr *daemon, struct daemon_status *out, struct err *err);
/* text ends with a NUL. True when it is such a page: it names a version and a virtual server. */
bool daemon_parse(const char *text, struct daemon_status *out);
const struct daemon_server *daemon_find(const struct daemon_status *s, const struct addr *a);
