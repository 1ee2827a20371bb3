// SPDX-License-Identifier: Apache-2.0
/* Chooses the line of a log to quote; reads the forms of klog, etcd (JSON) and CoreDNS. */
#include "diagnose.h"

#include "mem.h"
#include "strbuf.h"

#include <ctype.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_LEN 240
#define TAIL         16384
#define RECENT_S     180

/* Behind klog's header, "E0102 15:04:05.000000       1 file.go:12] "; the line itself without one.
 */
static const char *behind_klog(const char *line, size_t len)
{
	const char *end;

	if (len < 25 || !strchr("IWEF", line[0]) || !isdigit((unsigned char)line[1]) ||
	    !isdigit((unsigned char)line[4]) || line[5] != ' ' || line[8] != ':')
		return line;
	end = memmem(line, len, "] ", 2);
	return end ? end + 2 : line;
}

static bool has(const char *line, size_t len, const char *word)
{
	return memmem(line, len, word, strlen(word)) != NULL;
}

/* Whether the line reports a failure. */
static bool is_error(const char *line, size_t len)
{
	static const char *const words[] = {"[ERROR]",
	                                    "[FATAL]",
	                                    "panic:",
	                                    "level=error",
	                                    "level=fatal",
	                                    "\"level\":\"error\"",
	                                    "\"level\":\"fatal\"",
	                                    "\"level\":\"panic\"",
	                                    "rror:",
	                                    "atal:",
	                                    "Error during parsing"};

	if (behind_klog(line, len) != line)
		return *line == 'E' || *line == 'F';
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (has(line, len, words[i]))
			return true;
	return false;
}

/* A line of JSON, as etcd writes it, becomes "msg: error". */
static char *from_json(const char *line, size_t len)
{
	json_t *o = json_loadb(line, len, 0, NULL);
	const char *msg = json_string_value(json_object_get(o, "msg"));
	const char *error = json_string_value(json_object_get(o, "error"));
	char *out = NULL;

	if (msg)
		out = xasprintf("%s%s%s", msg, error ? ": " : "", error ? error : "");
	json_decref(o);
	return out;
}

static bool is_utf8(const char *s)
{
	json_t *v = json_string(s);

	json_decref(v);
	return v != NULL;
}

/* At most LINE_MAX_LEN bytes, cut between characters (UTF-8); control characters become spaces,
 * what is no UTF-8 question marks. */
static char *clean(const char *line, size_t len)
{
	char *out;
	bool cut = len > LINE_MAX_LEN;

	if (cut) {
		len = LINE_MAX_LEN - 3;
		while (len && ((unsigned char)line[len] & 0xc0) == 0x80)
			len--;
	}
	out = xasprintf("%.*s%s", (int)len, line, cut ? "..." : "");
	bool utf8 = is_utf8(out);

	for (char *p = out; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
		else if (!utf8 && (unsigned char)*p > 0x7f)
			*p = '?';
	return out;
}

/* Returns the line to quote; *error: it reports a failure. */
static char *pick_line(const char *text, size_t len, bool *error)
{
	const char *end = text + len, *best = NULL, *p = text;
	size_t best_len = 0;
	bool best_is_error = false;
	auto_free char *json = NULL;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl ? nl : end) - p);

		while (n && isspace((unsigned char)p[n - 1]))
			n--;
		if (n && (is_error(p, n) || !best_is_error)) {
			best = p;
			best_len = n;
			best_is_error = is_error(p, n);
		}
		p = nl ? nl + 1 : end;
	}
	*error = best_is_error;
	if (!best)
		return xstrdup("");
	if (*best == '{')
		json = from_json(best, best_len);
	if (json)
		return clean(json, strlen(json));
	p = behind_klog(best, best_len);
	return clean(p, best_len - (size_t)(p - best));
}

bool diagnose_is_no_log(const char *text)
{
	static const char answer[] = "unable to retrieve container logs for ";

	return strncmp(text, answer, sizeof(answer) - 1) == 0;
}

char *diagnose_last_line(const char *text, size_t len)
{
	bool error;

	return pick_line(text, len, &error);
}

/* The last TAIL bytes of a file, without what the runtime puts in front of each line: time, stream
 * and F or P (full or part of a line). */
static void read_tail(const char *path, struct strbuf *out)
{
	char buf[TAIL + 1];
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	ssize_t n = size <= 0 ? 0 : pread(fd, buf, TAIL, size > TAIL ? size - TAIL : 0);
	char *rest = buf, *line;

	buf[n > 0 ? n : 0] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		const char *p = line;

		for (int words = 0; words < 3 && p; words++)
			p = strchr(p, ' ') ? strchr(p, ' ') + 1 : NULL;
		if (p)
			strbuf_addf(out, "%s\n", p);
	}
}

char *diagnose_static_pod_log(const char *dir, const char *component, time_t now)
{
	auto_free char *pattern = xasprintf("%s/kube-system_%s-*/%s/*.log", dir, component,
	                                    component);
	auto_free char *newest = NULL, *line = NULL;
	auto_strbuf text = {0};
	time_t newest_time = now - RECENT_S;
	bool error = false;
	glob_t g = {0};

	if (glob(pattern, 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++) {
			struct stat st;

			if (stat(g.gl_pathv[i], &st) < 0 || st.st_mtime < newest_time)
				continue;
			newest_time = st.st_mtime;
			free(newest);
			newest = xstrdup(g.gl_pathv[i]);
		}
	globfree(&g);
	if (!newest)
		return NULL;
	read_tail(newest, &text);
	line = pick_line(strbuf_str(&text), text.len, &error);
	return error ? steal(&line) : NULL;
}

char *diagnose_kubectl_error(const char *text)
{
	static const char advice[] = " - did you specify the right host or port?";
	const char *best = "", *p = text;
	size_t best_len = 0;

	while (*p) {
		size_t n = strcspn(p, "\n");
		const char *body = behind_klog(p, n);

		if (n && (body == p || !best_len)) {
			best = body;
			best_len = n - (size_t)(body - p);
		}
		p += n + (p[n] == '\n');
	}
	if (best_len > strlen(advice) &&
	    memcmp(best + best_len - strlen(advice), advice, strlen(advice)) == 0)
		best_len -= strlen(advice);
	return clean(best, best_len);
}
