/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct err;

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/* The only mutable globals of a program: name, level and form. Lines go to stderr: "prog: text". */
void log_init(const char *prog, enum log_level level);
/* The form {"time":"2026-01-31T23:59:59.999Z","level":"info","msg":"text"} from now on, or no more.
 */
void log_json(bool on);
enum log_level log_level(void);
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "prog: sentence" for a failure; returns the exit status. */
int log_err(const struct err *err);
