// SPDX-License-Identifier: Apache-2.0
#include "state.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "strbuf.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STATE_FILE   DIR_STATE "/state.json"
#define JOURNAL_FILE DIR_STATE "/journal"
#define STATE_MAX    (1u << 20)

json_t *state_load(void)
{
	auto_strbuf text = {0};
	struct err err = {0};
	json_t *root = NULL;

	if (fs_exists(STATE_FILE) && fs_read(STATE_FILE, STATE_MAX, &text, &err) == 0)
		root = json_loadb(strbuf_str(&text), text.len, 0, NULL);
	if (json_is_object(root))
		return root;
	json_decref(root);
	return json_object();
}

int state_set(const char *key, json_t *value, struct err *err)
{
	json_t *state = state_load();
	char *text;
	int rc;

	if (value)
		json_object_set_new(state, key, value);
	else
		json_object_del(state, key);
	text = json_dumps(state, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(state);
	rc = fs_mkdir_p(DIR_STATE, 0700, err);
	if (rc == 0)
		rc = fs_write_atomic(STATE_FILE, text, strlen(text), 0600, err);
	free(text);
	return rc;
}

int state_set_string(const char *key, const char *value, struct err *err)
{
	return state_set(key, json_string(value), err);
}

const char *state_string(const json_t *state, const char *key)
{
	const char *s = json_string_value(json_object_get(state, key));

	return s ? s : "";
}

void journal(const char *fmt, ...)
{
	auto_close int fd = -1;
	auto_strbuf line = {0};
	time_t now = time(NULL);
	char stamp[32], text[1024];
	struct tm tm;
	struct err err = {0};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	strbuf_addf(&line, "%s %s\n", stamp, text);
	if (fs_mkdir_p(DIR_STATE, 0700, &err) < 0)
		return;
	fd = open(JOURNAL_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		(void)!write(fd, line.buf, line.len);
}
