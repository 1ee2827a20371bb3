// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

struct err;

/*
 * One run at a time on a machine: flock(2) on a file that only its owner can open. The descriptor
 * is inherited by all commands that an operation starts, so that one that outlives a killed
 * operation (kubeadm) still holds the lock. The file names the process that talks to the
 * controller: when that is gone, the lock will be free as soon as what runs has come to its end,
 * and is waited for.
 */
struct lock_wait {
	pid_t attended_by; /* our process that talks to the controller */
	unsigned grace_ms; /* for a holder whose controller is there: it may just be ending */
	unsigned wait_ms;  /* for one whose controller is gone */
	/* Called each second of such a wait; -1 with err ends it. May be NULL. */
	int (*waiting)(void *ctx, struct err *err);
	void *ctx;
};

/* Returns the descriptor that holds the lock, or -1. */
int lock_take(const char *path, const struct lock_wait *w, struct err *err);
/* Closes fd and removes the file, unless a command still holds the lock. fd -1: nothing. */
void lock_release(const char *path, int fd);
