/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Exit codes that all programs share (docs: README, "Exit codes"). */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_BAD_BUNDLE = 65, /* sysexits EX_DATAERR: nothing was touched */
	EXIT_PARTIAL = 75,    /* sysexits EX_TEMPFAIL: some nodes failed, they are named */
};

/*
 * A failure: one sentence for the user and the exit code that fits it. Owned by the caller, usually
 * on the stack and zeroed; long sentences are cut. code 0 counts as EXIT_FAILED.
 */
struct err {
	int code;
	char msg[1020];
};

/* Writes the sentence (no program name, no full stop) and returns -1, for `return err_set(...)`. */
int err_set(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same with an exit code of its own. */
int err_set_code(struct err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the sentence; keeps the code. Returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The exit status of a program that ends with this failure. */
int err_exit(const struct err *err);
