// SPDX-License-Identifier: Apache-2.0
#include "patch.h"

#include "digest.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "proc.h"
#include "strbuf.h"
#include "tree.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define PATCH_MAX 1000

/*
 * "v1.37.2" or "1.37.2" as a number that orders versions, and a minor such as "1.37" with the patch
 * release given; -1 when it is neither.
 */
static int number_of(const char *s, unsigned patch)
{
	unsigned major, minor;
	char extra;

	s += s[0] == 'v';
	if (sscanf(s, "%u.%u.%u%c", &major, &minor, &patch, &extra) != 3 &&
	    sscanf(s, "%u.%u%c", &major, &minor, &extra) != 2)
		return -1;
	if (major > 100 || minor >= 1000 || patch >= PATCH_MAX)
		return -1;
	return (int)((major * 1000 + minor) * PATCH_MAX + patch);
}

static int minor_of(int number)
{
	return number / PATCH_MAX % 1000;
}

/* A path that stays below the folder. */
static bool is_inside(const char *path)
{
	return path[0] != '/' && !strstr(path, "..");
}

int series_select(const char *name, const char *text, const char *dir, const char *version,
                  struct strlist *out, struct err *err)
{
	int want = number_of(version, 0), first = INT_MAX, last = -1;

	for (unsigned line = 1; *text; line++) {
		size_t len = strcspn(text, "\n");
		auto_free char *copy = xstrndup(text, len);
		char from[16], to[16], path[128], extra[2];
		int words = sscanf(copy, "%15s %15s %127s %1s", from, to, path, extra);
		int low = words > 0 ? number_of(from, 0) : 0;
		int high = words > 1 ? number_of(to, PATCH_MAX - 1) : 0;

		text += len + (text[len] == '\n');
		if (words <= 0 || from[0] == '#')
			continue;
		if (words != 3 || low < 0 || high < low || !is_inside(path))
			return err_set(err, "%s:%u: not of the form \"from to path\"", name, line);
		if (low <= want && want <= high)
			strlist_addf(out, "%s/%s", dir, path);
		first = low < first ? low : first;
		last = high > last ? high : last;
	}
	if (out->n)
		return 0;
	if (last < 0)
		return err_set(err, "%s has no patches for %s", name, version);
	return err_set(err, "%s has no patches for %s, only for 1.%d to 1.%d", name, version,
	               minor_of(first), minor_of(last));
}

bool patch_is_patch(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && !strcmp(dot, ".patch");
}

int patch_inputs(const char *path, struct strbuf *out, struct err *err)
{
	struct digest d;

	if (!patch_is_patch(path))
		return tree_digest(path, out, err);
	if (digest_file(path, &d, NULL, err) < 0)
		return -1;
	strbuf_addf(out, "%s %s\n", strrchr(path, '/') + 1, d.str);
	return 0;
}

/* The rest of the line behind the last mark before end, or NULL. */
static char *line_after(const char *said, const char *mark, const char *end)
{
	const char *last = NULL;

	for (const char *p = said; (p = strstr(p, mark)) && p < end; p += strlen(mark))
		last = p + strlen(mark);
	return last ? xstrndup(last, strcspn(last, "\n")) : NULL;
}

/* What patch(1) said, as "FILE (hunk N)": the first hunk that failed, or the file that is not
 * there. */
static char *failed_place(const char *said)
{
	const char *hunk = strstr(said, " FAILED at "), *missing = strstr(said, "\n|+++ b/");
	auto_free char *file = hunk ? line_after(said, "checking file ", hunk) : NULL;
	auto_free char *number = hunk ? line_after(said, "Hunk #", hunk) : NULL;

	if (file && number)
		return xasprintf("%s (hunk %.*s)", file, (int)strspn(number, "0123456789"), number);
	if (!missing)
		return xstrdup("a file it does not name");
	missing += strlen("\n|+++ b/");
	return xasprintf("%.*s, which is not there", (int)strcspn(missing, "\t\n"), missing);
}

int patch_apply(const char *tree, const char *patch, struct err *err)
{
	const char *const try[] = {"patch",     "-p1", "--fuzz=0", "--batch", "--forward",
	                           "--dry-run", "-i",  patch,      NULL};
	const char *const apply[] = {"patch",   "-p1",       "--fuzz=0",
	                             "--batch", "--forward", "--no-backup-if-mismatch",
	                             "-i",      patch,       NULL};
	const char *const plain[] = {"LC_ALL=C", NULL};
	const struct proc_opts opts = {.dir = tree, .env = plain};
	auto_strbuf said = {0};
	int status = proc_run(try, &opts, &said, NULL, err);

	if (status < 0)
		return -1;
	if (status) {
		auto_free char *place = failed_place(strbuf_str(&said));

		fputs(strbuf_str(&said), stderr);
		return err_set(err, "%s does not apply to %s", patch, place);
	}
	return proc_check(apply, &opts, NULL, err);
}
