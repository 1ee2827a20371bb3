/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct config;
struct err;
struct events;

/* Writes the rules and the route once, with every real server: the command line's and those that
 * are remembered. What can fail without a change comes first. */
int once_write(const struct config *c, struct events *ev, struct err *err);
/* Removes the virtual server, its route and the state file; what is not there is fine. */
int once_clean(const struct config *c, struct events *ev, struct err *err);
