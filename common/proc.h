/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

struct err;
struct strbuf;

/* How a child runs. Zeroed: our environment, our directory, no deadline, output captured. */
struct proc_opts {
	const char *dir; /* working directory, or NULL */
	const char *const
	    *env; /* "NAME=value" added to or replacing ours, NULL-terminated, or NULL */
	const char *stdin_data; /* fed to its standard input, or NULL for /dev/null */
	size_t stdin_len;
	int timeout_s; /* 0: none; then SIGTERM, 5 s later SIGKILL to its process group */
	void (*on_line)(void *ctx,
	                const char *line); /* each line of its output as it comes, or NULL */
	/* its output as it comes, stream 1 (stdout) or 2 (stderr), or NULL */
	void (*on_output)(void *ctx, int stream, const char *data, size_t len);
	void *ctx; /* of both */
	/* the program's file when it is not the one that argv[0] names, or NULL */
	const char *file;
};

/*
 * Runs argv (looked up in PATH) and waits. Its stdout is appended to out, stderr to errout (both to
 * out when errout is NULL; dropped when out is NULL). Returns its exit status, 128 + signal, or -1
 * with err when it could not be started or ran into the deadline.
 */
int proc_run(const char *const argv[], const struct proc_opts *opts, struct strbuf *out,
             struct strbuf *errout, struct err *err);

/* proc_run that takes any status but 0 as a failure and quotes the last lines the child printed. */
int proc_check(const char *const argv[], const struct proc_opts *opts, struct strbuf *out,
               struct err *err);
