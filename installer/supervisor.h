// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <signal.h>

/* What the process of the operations is sent: end the running one at its next safe point. */
#define SUPERVISOR_STOP SIGUSR1
/* The same, for good: the controller or the supervisor is gone. */
#define SUPERVISOR_GONE SIGUSR2

/*
 * The process of a node that talks to the controller while another one, its child, does the work:
 * the controller is heard and answered at any time, and its end does not cut an operation. Requests
 * and answers (proto.h) are passed on as they are; "ping" and "stop" end here and are not answered.
 * While an operation runs the controller gets an empty progress message when there is nothing else
 * to say.
 */
struct supervisor_config {
	int in, out; /* the controller */
	/* Runs in the child, in a session of its own, with the supervisor on fd: the end of fd is
	 * the end of the controller. Returns the exit status. */
	int (*operations)(int fd, void *ctx);
	void *ctx;
	unsigned silence_ms; /* after that the controller counts as gone; it pings */
	unsigned heartbeat_ms;
};

/*
 * Returns when the controller or the child is gone; the child finishes what it does without us.
 * SIGTERM and SIGINT end it at the next safe point. Returns the exit status.
 */
int supervisor_run(const struct supervisor_config *c);
