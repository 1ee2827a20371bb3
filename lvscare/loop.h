/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct config;
struct err;

/*
 * The daemon: one thread, one epoll loop. Guards the rules and probes the servers until SIGTERM or
 * SIGINT; the rules stay. SIGHUP, and a change of its file, have the configuration read again into
 * conf. Returns 0 at the end, or -1 when it cannot even start.
 */
int loop_run(struct config *conf, struct err *err);
