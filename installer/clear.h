// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>

/*
 * Removal of what lies in our directories, on machines where users mount, bind and link. One rule
 * for every directory (docs/install.md, "Reset"): what is mounted below it is never entered, a file
 * system or a link at the directory itself stays and only its contents go, links below are removed
 * and never followed.
 */

/* What was done, as JSON arrays: removed of names, stayed and failed of {what,why}. What stayed
 * belongs to the user; what failed should have gone. */
struct clear_report {
	json_t *removed, *stayed, *failed;
};

void clear_report_init(struct clear_report *r);
void clear_report_release(struct clear_report *r);
void clear_removed(struct clear_report *r, const char *what);
/* Once for each what. */
void clear_stayed(struct clear_report *r, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* After CLEAR_FAILURES entries only their number is kept. */
void clear_failed(struct clear_report *r, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define CLEAR_FAILURES 30

/* Which entries of a directory go; zeroed: all, and the directory itself. */
struct clear_opts {
	const char *const *only; /* names, NULL-terminated; the others stay and are reported */
	const char *others;      /* why the others stay */
	bool keep_dir;           /* the directory itself stays, without a word */
	bool without_statx;      /* mount ids from /proc/self/fdinfo, as before Linux 5.8 */
};

/* Empties dir and removes it. A directory that is not there is no failure. lost+found of a file
 * system stays. Goes on after a failure; everything that could not be removed is in failed. */
void clear_dir(const char *dir, const struct clear_opts *opts, struct clear_report *r);

/* Removes one file or link. What is not there is no failure; something bound over it stays. */
void clear_file(const char *path, struct clear_report *r);
