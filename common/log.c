// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include "err.h"

#include <stdarg.h>

static const char *program = "kubecask";
static enum log_level threshold = LOG_LVL_WARN;

void log_init(const char *prog, enum log_level level)
{
	program = prog;
	threshold = level;
	setvbuf(stderr, NULL, _IOLBF, 0); /* a line is one write, also beside other processes */
}

enum log_level log_level(void)
{
	return threshold;
}

__attribute__((format(printf, 2, 0))) static void line(enum log_level level, const char *fmt,
                                                       va_list ap)
{
	if (level > threshold)
		return;
	fprintf(stderr, "%s: ", program);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

#define LOG_FUNCTION(name, level)       \
	void name(const char *fmt, ...) \
	{                               \
		va_list ap;             \
                                        \
		va_start(ap, fmt);      \
		line(level, fmt, ap);   \
		va_end(ap);             \
	}

LOG_FUNCTION(log_error, LOG_LVL_ERROR)
LOG_FUNCTION(log_warn, LOG_LVL_WARN)
LOG_FUNCTION(log_info, LOG_LVL_INFO)
LOG_FUNCTION(log_debug, LOG_LVL_DEBUG)

int log_err(const struct err *err)
{
	log_error("%s", err->msg);
	return err_exit(err);
}
