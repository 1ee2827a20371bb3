// SPDX-License-Identifier: Apache-2.0
#include "tools.h"

#include "err.h"
#include "mem.h"
#include "proc.h"
#include "strbuf.h"

#include <string.h>

static char *first_line(const char *const argv[], const char *const env[], struct err *err)
{
	const struct proc_opts opts = {.env = env};
	auto_strbuf out = {0};

	if (proc_check(argv, &opts, &out, err) < 0)
		return NULL;
	return xstrndup(strbuf_str(&out), strcspn(strbuf_str(&out), "\n"));
}

char *go_version(struct err *err)
{
	const char *const argv[] = {"go", "env", "GOVERSION", NULL};
	const char *const env[] = {"GOTOOLCHAIN=local", "GOFLAGS=", "GOEXPERIMENT=", "GOENV=off",
	                           NULL};

	return first_line(argv, env, err);
}

char *gcc_version(struct err *err)
{
	const char *const argv[] = {"gcc", "--version", NULL};
	const char *const env[] = {"LC_ALL=C", NULL};

	return first_line(argv, env, err);
}
