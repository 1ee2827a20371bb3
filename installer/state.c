// SPDX-License-Identifier: Apache-2.0
#include "state.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "strbuf.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_FILE DIR_STATE "/state.json"
#define STATE_COPY STATE_FILE ".bak"
#define STATE_KEPT STATE_FILE ".damaged"
#define STATE_MAX  (1u << 20)

/* 1: read, 0: there is no such file, -1: damaged or unreadable. */
static int read_file(const char *path, json_t **out, struct err *err)
{
	auto_strbuf text = {0};
	json_error_t why;

	if (!fs_exists(path))
		return 0;
	if (fs_read(path, STATE_MAX, &text, err) < 0)
		return -1;
	*out = json_loadb(strbuf_str(&text), text.len, JSON_REJECT_DUPLICATES, &why);
	if (json_is_object(*out))
		return 1;
	if (*out)
		snprintf(why.text, sizeof(why.text), "not an object");
	json_decref(*out);
	*out = NULL;
	return err_set(err, "%s: damaged, line %d: %s", path, why.line, why.text);
}

static int read_state(json_t **out, bool *from_copy, struct err *err)
{
	struct err why = {0}, why_copy = {0};
	int found = read_file(STATE_FILE, out, &why), found_copy;

	*from_copy = false;
	if (found > 0)
		return 0;
	found_copy = read_file(STATE_COPY, out, &why_copy);
	*from_copy = found_copy > 0;
	if (found_copy > 0)
		return 0;
	if (found == 0 && found_copy == 0) {
		*out = json_object();
		return 0;
	}
	return err_set(err,
	               "%s; %s is missing or damaged too. What was done on this machine is not "
	               "known: put the file back from a backup, or reset the machine",
	               found < 0 ? why.msg : why_copy.msg, found < 0 ? STATE_COPY : STATE_FILE);
}

int state_read(json_t **out, struct err *err)
{
	bool from_copy;

	*out = NULL;
	return read_state(out, &from_copy, err);
}

json_t *state_load(void)
{
	struct err err = {0};
	json_t *state;

	if (state_read(&state, &err) < 0)
		return json_pack("{ss}", "damaged", err.msg);
	return state;
}

void state_remove_leftovers(void)
{
	fs_remove_temporaries(STATE_FILE);
	fs_remove_temporaries(STATE_COPY);
}

/* First the copy: where the disk takes only that, the state is what it was. */
static int write_state(const json_t *state, struct err *err)
{
	char *text = json_dumps(state, JSON_INDENT(1) | JSON_SORT_KEYS);
	int rc = fs_mkdir_p(DIR_STATE, 0700, err);

	if (rc == 0)
		rc = fs_write_atomic(STATE_COPY, text, strlen(text), 0600, err);
	if (rc == 0)
		rc = fs_write_atomic(STATE_FILE, text, strlen(text), 0600, err);
	free(text);
	return rc;
}

int state_merge(json_t *members, struct err *err)
{
	json_t *state = NULL, *v;
	const char *key;
	bool from_copy;
	int rc = read_state(&state, &from_copy, err);

	if (rc == 0 && from_copy) {
		(void)!rename(STATE_FILE, STATE_KEPT);
		journal("%s was damaged (kept as %s): its copy is used", STATE_FILE, STATE_KEPT);
	}
	if (rc == 0) {
		json_object_foreach (members, key, v) {
			if (json_is_null(v))
				json_object_del(state, key);
			else
				json_object_set(state, key, v);
		}
		rc = write_state(state, err);
	}
	json_decref(state);
	json_decref(members);
	return rc;
}

int state_set(const char *key, json_t *value, struct err *err)
{
	json_t *members = json_object();

	json_object_set_new(members, key, value ? value : json_null());
	return state_merge(members, err);
}

int state_set_string(const char *key, const char *value, struct err *err)
{
	return state_set(key, json_string(value), err);
}
