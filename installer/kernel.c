// SPDX-License-Identifier: Apache-2.0
#include "kernel.h"

#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "proc.h"
#include "state.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_S    120
#define PROC_SYS     "/proc/sys/"
#define SETTINGS_MAX 65536

/* The lines of a settings file without comments and blanks. */
static void config_lines(const char *text, struct strlist *out)
{
	auto_free char *copy = xstrdup(text);
	char *next = copy, *line;

	while (next && (line = strsep(&next, "\n"))) {
		line += strspn(line, " \t");
		if (*line && *line != '#' && *line != ';')
			strlist_add(out, line);
	}
}

/* ---- modules ---- */

static bool load_module(const char *name)
{
	const char *argv[] = {"modprobe", "--", name, NULL};
	const struct proc_opts opts = {.timeout_s = COMMAND_S};
	auto_free char *loaded = xasprintf("/sys/module/%s", name);
	struct err why = {0};

	if (fs_exists(loaded) || proc_check(argv, &opts, NULL, &why) == 0)
		return true;
	journal("modprobe %s: %s", name, why.msg);
	return false;
}

int kernel_load_modules(const char *dir, struct strbuf *out, struct err *err)
{
	auto_free char *path = xasprintf("%s/modules-load.d/kubecask.conf", dir);
	auto_strlist names = {0};
	auto_strbuf text = {0};

	if (fs_read(path, SETTINGS_MAX, &text, err) < 0)
		return -1;
	config_lines(strbuf_str(&text), &names);
	strbuf_addstr(out, "# what this kernel has of the modules that are wanted\n");
	for (size_t i = 0; i < names.n; i++)
		if (load_module(names.v[i]))
			strbuf_addf(out, "%s\n", names.v[i]);
	return 0;
}

/* ---- sysctls ---- */

/* A line of sysctl.d(5): "[-]key = value"; a failure to set an optional one does not matter. */
struct setting {
	char *key, *value, *path;
	bool optional;
};

static void setting_release(struct setting *s)
{
	free(s->key);
	free(s->value);
	free(s->path);
}
#define auto_setting __attribute__((cleanup(setting_release))) struct setting

static char *path_of(const char *key)
{
	char *path;

	if (strstr(key, "..") || strchr(key, '/') || !*key)
		return NULL;
	path = xasprintf(PROC_SYS "%s", key);
	for (char *c = path + strlen(PROC_SYS); *c; c++)
		if (*c == '.')
			*c = '/';
	return path;
}

/* False for a line that is no setting. */
static bool setting_parse(const char *line, struct setting *s)
{
	const char *eq = strchr(line, '=');

	*s = (struct setting){0};
	if (!eq)
		return false;
	s->optional = *line == '-';
	line += s->optional;
	s->key = xstrndup(line, strcspn(line, " \t="));
	s->value = xstrdup(eq + 1 + strspn(eq + 1, " \t"));
	s->path = path_of(s->key);
	return s->path != NULL;
}

/* The value now, without its newline; NULL when there is no such key. */
static char *value_now(const char *path)
{
	auto_strbuf text = {0};
	struct err ignored = {0};

	if (fs_read(path, 4096, &text, &ignored) < 0)
		return NULL;
	return xstrndup(strbuf_str(&text), strcspn(strbuf_str(&text), "\n"));
}

static int write_value(const char *path, const char *value)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	auto_free char *line = xasprintf("%s\n", value);

	return fd >= 0 && write(fd, line, strlen(line)) >= 0 ? 0 : -1;
}

/* A limit that only needs to be high enough, and was higher before us: since 5.11 the kernel
 * chooses max_user_watches by the machine's memory. */
static bool high_enough(const struct setting *s, const char *before)
{
	char *end;
	long long had, want = strtoll(s->value, NULL, 10);

	if (strncmp(s->key, "fs.inotify.", 11) != 0 || !before)
		return false;
	had = strtoll(before, &end, 10);
	return end != before && had >= want;
}

int kernel_sysctl_text(const char *dir, struct strbuf *out, struct err *err)
{
	auto_free char *path = xasprintf("%s/sysctl.d/90-kubecask.conf", dir);
	auto_strlist lines = {0};
	auto_strbuf text = {0};
	json_t *state = NULL, *old;
	bool added = false;
	int rc = 0;

	if (fs_read(path, SETTINGS_MAX, &text, err) < 0 || state_read(&state, err) < 0)
		return -1;
	old = json_object_get(state, "sysctl");
	old = old ? json_incref(old) : json_object();
	config_lines(strbuf_str(&text), &lines);
	for (size_t i = 0; i < lines.n; i++) {
		auto_setting s;
		auto_free char *now = NULL;

		if (!setting_parse(lines.v[i], &s))
			continue;
		now = value_now(s.path);
		if (now && !json_object_get(old, s.key)) {
			json_object_set_new(old, s.key, json_string(now));
			added = true;
		}
		if (high_enough(&s, json_text(old, s.key)))
			strbuf_addf(out, "# %s was %s before\n", s.key, json_text(old, s.key));
		else
			strbuf_addf(out, "%s\n", lines.v[i]);
	}
	if (added)
		rc = state_set("sysctl", json_incref(old), err);
	json_decref(old);
	json_decref(state);
	return rc;
}

json_t *kernel_sysctl_values(const char *text)
{
	json_t *values = json_object();
	auto_strlist lines = {0};

	config_lines(text, &lines);
	for (size_t i = 0; i < lines.n; i++) {
		auto_setting s;
		auto_free char *now = NULL;

		if (!setting_parse(lines.v[i], &s))
			continue;
		now = value_now(s.path);
		if (now)
			json_object_set_new(values, s.key, json_string(now));
	}
	return values;
}

int kernel_set_sysctls(const char *text, struct err *err)
{
	auto_strlist lines = {0};

	config_lines(text, &lines);
	for (size_t i = 0; i < lines.n; i++) {
		auto_setting s;
		auto_free char *now = NULL;

		if (!setting_parse(lines.v[i], &s)) {
			if (s.key)
				return err_set(err, "sysctl %s: not a plain name", s.key);
			continue;
		}
		now = value_now(s.path);
		if (now && strcmp(now, s.value) == 0)
			continue;
		if (write_value(s.path, s.value) < 0 && !s.optional)
			return err_set(err, "sysctl %s = %s: %s", s.key, s.value, strerror(errno));
	}
	return 0;
}

size_t kernel_restore_sysctls(const json_t *values)
{
	size_t failed = 0;
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)(uintptr_t)values, key, v) {
		auto_free char *path = path_of(key);
		auto_free char *now = path ? value_now(path) : NULL;

		if (!now || !json_is_string(v) || strcmp(now, json_string_value(v)) == 0)
			continue;
		failed += write_value(path, json_string_value(v)) < 0;
	}
	return failed;
}
