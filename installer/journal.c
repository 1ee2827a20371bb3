// SPDX-License-Identifier: Apache-2.0
#include "journal.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "state.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEXT_FILE  DIR_STATE "/journal"
#define STEPS_FILE DIR_STATE "/steps.jsonl"
#define BYTES_MAX  (4 << 20)
#define READ_MAX   (2u * BYTES_MAX)

static void time_stamp(char out[static 32])
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static int open_for_append(const char *path, struct err *err)
{
	struct stat st;
	int fd;

	if (fs_mkdir_p(DIR_STATE, 0700, err) < 0)
		return -1;
	if (stat(path, &st) == 0 && st.st_size > BYTES_MAX) {
		auto_free char *old = xasprintf("%s.1", path);

		(void)!rename(path, old);
	}
	fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd >= 0 ? fd : fs_fail(err, "open", path);
}

/* The end of a line that a crash cut must not swallow the next one. */
static bool ends_in_newline(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char c = '\n';

	return size <= 0 || pread(fd, &c, 1, size - 1) != 1 || c == '\n';
}

void journal(const char *fmt, ...)
{
	auto_strbuf line = {0};
	char stamp[32], text[1024];
	struct err ignored = {0};
	va_list ap;
	int fd;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	time_stamp(stamp);
	fd = open_for_append(TEXT_FILE, &ignored);
	if (fd < 0)
		return;
	strbuf_addf(&line, "%s%s %s\n", ends_in_newline(fd) ? "" : "\n", stamp, text);
	(void)!write(fd, line.buf, line.len);
	close(fd);
}

int journal_step(const char *run_id, const char *step_id, const char *name, const char *event,
                 json_t *before, struct err *err)
{
	auto_close int fd = open_for_append(STEPS_FILE, err);
	auto_strbuf line = {0};
	char stamp[32], *text;
	json_t *o;

	time_stamp(stamp);
	o = json_pack("{ss ss ss ss ss}", "time", stamp, "run", run_id, "step", step_id, "name",
	              name, "event", event);
	if (before)
		json_object_set_new(o, "before", before);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (fd >= 0)
		strbuf_addf(&line, "%s%s\n", ends_in_newline(fd) ? "" : "\n", text ? text : "{}");
	free(text);
	if (fd < 0)
		return -1;
	if (fs_write_all(fd, line.buf, line.len) < 0 || fdatasync(fd) < 0)
		return fs_fail(err, "write", STEPS_FILE);
	return 0;
}

static int read_lines(const char *path, const char *run_id, json_t *out, struct err *err)
{
	auto_strbuf text = {0};
	char *next, *line;

	if (!fs_exists(path))
		return 0;
	if (fs_read(path, READ_MAX, &text, err) < 0)
		return -1;
	next = text.buf;
	while (next && (line = strsep(&next, "\n"))) {
		json_t *o = json_loads(line, 0, NULL);
		const char *run = json_string_value(json_object_get(o, "run"));

		if (run && (!run_id || strcmp(run, run_id) == 0))
			json_array_append(out, o);
		json_decref(o);
	}
	return 0;
}

int journal_read(const char *run_id, json_t **out, struct err *err)
{
	*out = json_array();
	if (read_lines(STEPS_FILE ".1", run_id, *out, err) == 0 &&
	    read_lines(STEPS_FILE, run_id, *out, err) == 0)
		return 0;
	json_decref(*out);
	*out = NULL;
	return -1;
}
