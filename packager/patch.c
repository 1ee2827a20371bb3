// SPDX-License-Identifier: Apache-2.0
#include "patch.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "proc.h"
#include "strbuf.h"

#include <stdio.h>
#include <string.h>

/* "1.37" or "v1.37.2" as a number that orders minors; -1 when it is neither. */
static int minor_of(const char *s)
{
	unsigned major, minor;

	if (sscanf(s, "v%u.%u", &major, &minor) != 2 && sscanf(s, "%u.%u", &major, &minor) != 2)
		return -1;
	return major > 1000 || minor > 1000 ? -1 : (int)(major * 1000 + minor);
}

char *series_find(const char *name, const char *text, const char *version, struct err *err)
{
	int want = minor_of(version);
	unsigned line = 1;

	for (; *text; line++) {
		size_t len = strcspn(text, "\n");
		auto_free char *copy = xstrndup(text, len);
		char from[16], to[16], dir[64], extra[2];
		int words = sscanf(copy, "%15s %15s %63s %1s", from, to, dir, extra);

		text += len + (text[len] == '\n');
		if (words <= 0 || from[0] == '#')
			continue;
		if (words != 3 || minor_of(from) < 0 || minor_of(to) < 0 || strchr(dir, '/'))
			return err_set(err, "%s:%u: not of the form \"from to directory\"", name,
			               line),
			       NULL;
		if (minor_of(from) <= want && want <= minor_of(to))
			return xstrdup(dir);
	}
	err_set(err, "%s has no patches for %s", name, version);
	return NULL;
}

int patch_list(const char *dir, struct strlist *out, struct err *err)
{
	auto_strlist names = {0};

	if (fs_list(dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		const char *dot = strrchr(names.v[i], '.');

		if (dot && !strcmp(dot, ".patch"))
			strlist_addf(out, "%s/%s", dir, names.v[i]);
	}
	return 0;
}

/* The last file that patch(1) spoke of before it failed. */
static char *failed_file(const char *said)
{
	static const char mark[] = "patching file ";
	const char *last = NULL;

	for (const char *p = said; (p = strstr(p, mark)); p += sizeof(mark) - 1)
		last = p + sizeof(mark) - 1;
	return last ? xstrndup(last, strcspn(last, "\n")) : xstrdup("a file it does not name");
}

int patch_apply(const char *tree, const char *patch, struct err *err)
{
	const char *const argv[] = {"patch",     "-p1", "--fuzz=0", "--batch", "--forward",
	                            "--dry-run", "-i",  patch,      NULL};
	const char *const argv2[] = {"patch",   "-p1",       "--fuzz=0",
	                             "--batch", "--forward", "--no-backup-if-mismatch",
	                             "-i",      patch,       NULL};
	const struct proc_opts opts = {.dir = tree};
	auto_strbuf said = {0};
	int status = proc_run(argv, &opts, &said, NULL, err);

	if (status < 0)
		return -1;
	for (char *p = said.buf; p && (p = strstr(p, "checking file ")); p++)
		memcpy(p, "patching", 8);
	if (status) {
		auto_free char *file = failed_file(strbuf_str(&said));

		fputs(strbuf_str(&said), stderr);
		return err_set(err, "%s does not apply to %s", patch, file);
	}
	return proc_check(argv2, &opts, NULL, err);
}
