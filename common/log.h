/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>

struct err;

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/* The only mutable globals of a program: name and level. Lines go to stderr: "prog: text". */
void log_init(const char *prog, enum log_level level);
enum log_level log_level(void);
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "prog: sentence" for a failure; returns the exit status. */
int log_err(const struct err *err);
