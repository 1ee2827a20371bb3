/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct config;
struct err;

/*
 * The daemon: one thread, one epoll loop. Guards the rules and probes the servers until SIGTERM or
 * SIGINT; the rules stay. Returns 0 at the end, or -1 when it cannot even start.
 */
int loop_run(const struct config *conf, struct err *err);
