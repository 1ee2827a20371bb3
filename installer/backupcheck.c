// SPDX-License-Identifier: Apache-2.0
/*
 * Whether a backup can be restored: each byte is as it was written, and etcd's data, restored into
 * a directory that is thrown away, has the same keys. Nothing that runs is touched.
 */
#include "backup.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

#define ETCDUTL   DIR_CURRENT "/bin/etcdutl"
#define SCRATCH   DIR_STATE "/backup-check"
#define RESTORED  SCRATCH "/restored"
#define DATABASE  SCRATCH "/" BACKUP_DATABASE
#define RESTORE_S 600 /* etcd's largest database, 8 GiB, at 15 MB/s */

/* What one of etcdutl's commands prints as JSON; NULL with err. words end with NULL. */
static json_t *etcdutl(const char *const words[], struct err *err)
{
	const struct proc_opts opts = {.timeout_s = RESTORE_S};
	auto_strlist argv = {0};
	auto_strbuf out = {0}, said = {0};
	json_t *v;
	int status;

	strlist_add(&argv, ETCDUTL);
	for (; *words; words++)
		strlist_add(&argv, *words);
	status = proc_run((const char *const *)argv.v, &opts, &out, &said, err);
	if (status < 0)
		return NULL;
	v = json_loadb(strbuf_str(&out), out.len, 0, NULL);
	if (status > 0 || !v) {
		const char *text = strbuf_str(&said), *hit = strstr(text, "Error: ");

		json_decref(v);
		hit = hit ? hit + strlen("Error: ") : text;
		err_set(err, "etcdutl: %.*s", (int)strcspn(hit, "\n"), hit);
		return NULL;
	}
	return v;
}

static int restore(struct err *err)
{
	const char *const argv[] = {ETCDUTL,      "snapshot", "restore", DATABASE,
	                            "--data-dir", RESTORED,   NULL};
	const struct proc_opts opts = {.timeout_s = RESTORE_S};

	return proc_check(argv, &opts, NULL, err);
}

/* One number about both databases. etcdutl writes to a database that it reads: this comes after the
 * restoration, which compares the snapshot's own digest. */
static int same(const char *const command[], const char *member, json_t *result, struct err *err)
{
	const char *words[8] = {0};
	json_t *a, *b = NULL;
	size_t n = 0;
	int rc = 0;

	for (; command[n]; n++)
		words[n] = command[n];
	words[n + 1] = "--write-out=json";
	words[n] = DATABASE;
	a = etcdutl(words, err);
	words[n] = RESTORED "/member/snap/db";
	if (a)
		b = etcdutl(words, err);
	if (!b)
		rc = -1;
	else if (!json_is_integer(json_object_get(a, member)) ||
	         !json_equal(json_object_get(a, member), json_object_get(b, member)))
		rc = err_set_code(err, EXIT_BAD_BUNDLE,
		                  "restored, etcd's data has another %s than the backup", member);
	else
		json_object_set(result, member, json_object_get(a, member));
	json_decref(a);
	json_decref(b);
	return rc;
}

static int compare(json_t *result, struct err *err)
{
	static const char *const status[] = {"snapshot", "status", NULL};
	static const char *const hash[] = {"hashkv", NULL};

	if (same(status, "revision", result, err) < 0 || same(status, "totalKey", result, err) < 0)
		return -1;
	if (same(hash, "hash", result, err) == 0)
		return 0;
	return strstr(err->msg, "unknown command") ? 0 : -1; /* etcd before 3.6 */
}

static int check(struct node *n, const char *file, json_t *result, struct err *err)
{
	json_t *manifest = NULL;

	node_progress(n, "read the backup", 0, 0);
	if (fs_mkdir_p(SCRATCH, 0700, err) < 0 || backup_read(file, SCRATCH, &manifest, err) < 0)
		return -1;
	json_object_set_new(result, "backup", manifest);
	if (!fs_exists(ETCDUTL))
		return err_set(err, "%s is missing: check the backup on a master", ETCDUTL);
	node_progress(n, "restore etcd's data on trial", 0, 0);
	if (restore(err) < 0)
		return err_wrap(err, "%s", file);
	return compare(result, err);
}

int op_backup_check(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *file = arg_string(args, "file", err);
	struct err ignored = {0};
	int rc;

	if (!file || node_lock(n, err) < 0 || fs_remove_tree(SCRATCH, err) < 0)
		return -1;
	rc = check(n, file, result, err);
	fs_remove_tree(SCRATCH, &ignored);
	return rc;
}
