// SPDX-License-Identifier: Apache-2.0
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	err->code = EXIT_FAILED;
	return -1;
}

int err_set_code(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	err->code = code;
	return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char context[sizeof(err->msg)];
	va_list ap;
	size_t len, kept;

	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);

	len = strlen(context);
	if (len > sizeof(err->msg) - 3)
		len = sizeof(err->msg) - 3;
	kept = strlen(err->msg); /* its end is cut when both do not fit */
	if (kept > sizeof(err->msg) - 3 - len)
		kept = sizeof(err->msg) - 3 - len;
	memmove(err->msg + len + 2, err->msg, kept);
	err->msg[len + 2 + kept] = '\0';
	memcpy(err->msg, context, len);
	memcpy(err->msg + len, ": ", 2);
	return -1;
}

int err_exit(const struct err *err)
{
	return err->code ? err->code : EXIT_FAILED;
}
