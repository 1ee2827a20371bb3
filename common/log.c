// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include "err.h"
#include "quote.h"
#include "strbuf.h"

#include <stdarg.h>
#include <stdbool.h>
#include <time.h>

#define TEXT_MAX 2048 /* bytes of one line's text as JSON; longer ones are cut */

static const char *program = "kubecask";
static enum log_level threshold = LOG_LVL_WARN;
static bool json;

void log_init(const char *prog, enum log_level level)
{
	program = prog;
	threshold = level;
	setvbuf(stderr, NULL, _IOLBF, 0); /* a line is one write, also beside other processes */
}

void log_json(bool on)
{
	json = on;
}

enum log_level log_level(void)
{
	return threshold;
}

/* RFC 3339, UTC, milliseconds. */
static void add_time(struct strbuf *sb)
{
	struct timespec ts;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strbuf_addf(sb, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
	            tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ts.tv_nsec / 1000000));
}

__attribute__((format(printf, 2, 0))) static void json_line(enum log_level level, const char *fmt,
                                                            va_list ap)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	auto_strbuf sb = {0};
	char text[TEXT_MAX];

	vsnprintf(text, sizeof(text), fmt, ap);
	strbuf_addstr(&sb, "{\"time\":\"");
	add_time(&sb);
	strbuf_addf(&sb, "\",\"level\":\"%s\",\"msg\":", names[level]);
	quote_json(&sb, text);
	strbuf_addstr(&sb, "}\n");
	fputs(strbuf_str(&sb), stderr);
}

__attribute__((format(printf, 2, 0))) static void line(enum log_level level, const char *fmt,
                                                       va_list ap)
{
	if (level > threshold)
		return;
	if (json) {
		json_line(level, fmt, ap);
		return;
	}
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
