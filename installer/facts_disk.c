// SPDX-License-Identifier: Apache-2.0
/* The file systems that are filled or must be there at boot. */
#include "err.h"
#include "facts.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "strbuf.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define ETCD     "/var/lib/etcd"
#define POD_LOGS "/var/log/pods"

/* ---- mounts ---- */

struct mount_search {
	const char *path; /* real */
	char *point, *type;
};

/* "\040" and the like, as mountinfo and fstab write blanks, tabs and backslashes. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return true;
	return strncmp(path, dir, len) == 0 && (!path[len] || path[len] == '/');
}

/* The mount point of a line of mountinfo, which is cut to pieces; NULL: it has none.
 * "36 35 98:0 /root /point options ... - type source options" */
static char *mount_point(char *line)
{
	char *next = line, *word = NULL;

	for (int i = 0; i < 5 && next; i++)
		word = strsep(&next, " ");
	if (!next || !word)
		return NULL;
	unescape(word);
	return word;
}

/* Later lines lie on top. */
static void match_mount(void *ctx, char *line)
{
	struct mount_search *s = ctx;
	char *type = strstr(line, " - "), *word = mount_point(line);

	if (!type || !word)
		return;
	if (!is_below(s->path, word) || (s->point && strlen(word) < strlen(s->point)))
		return;
	free(s->point);
	free(s->type);
	s->point = xstrdup(word);
	type += 3;
	s->type = xstrndup(type, strcspn(type, " "));
}

struct fstab_search {
	const char *point;
	bool found;
};

static void match_fstab(void *ctx, char *line)
{
	struct fstab_search *s = ctx;
	char *next = line + strspn(line, " \t"), *point;

	if (*next == '#')
		return;
	next += strcspn(next, " \t");
	next += strspn(next, " \t");
	point = strsep(&next, " \t");
	unescape(point);
	s->found |= *point && strcmp(point, s->point) == 0;
}

/* /var/lib/x-y is var-lib-x\x2dy.mount (systemd-escape --path). */
static char *unit_name(const char *point)
{
	auto_strbuf out = {0};

	for (const char *p = point + 1; *p; p++) {
		if (*p == '/')
			strbuf_addch(&out, '-');
		else if (*p == '-' || *p == '\\' || (unsigned char)*p <= ' ')
			strbuf_addf(&out, "\\x%02x", (unsigned char)*p);
		else
			strbuf_addch(&out, *p);
	}
	strbuf_addstr(&out, ".mount");
	return strbuf_detach(&out);
}

static bool mounted_at_boot(const char *point)
{
	static const char *const dirs[] = {"/etc/systemd/system", "/run/systemd/generator",
	                                   "/run/systemd/generator.late", "/usr/lib/systemd/system",
	                                   "/lib/systemd/system"};
	struct fstab_search s = {.point = point};
	auto_free char *unit = unit_name(point);

	if (strcmp(point, "/") == 0)
		return true;
	facts_each_line("/etc/fstab", match_fstab, &s);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		auto_free char *path = xasprintf("%s/%s", dirs[i], unit);

		s.found |= fs_exists(path);
	}
	return s.found;
}

/* ---- one directory ---- */

/* The path itself, or what exists of it, without links. NULL: not to be found out. */
static char *existing(const char *path)
{
	auto_free char *p = xstrdup(path);
	struct stat st;
	char *slash;

	while (stat(p, &st) < 0 && (slash = strrchr(p, '/')) && slash != p)
		*slash = '\0';
	return realpath(p, NULL);
}

static void add_disk(json_t *disks, const char *path)
{
	auto_free char *real = existing(path);
	struct mount_search m = {.path = real};
	struct statvfs sv;
	struct stat st;
	json_t *d;

	if (!real || statvfs(real, &sv) < 0 || stat(real, &st) < 0)
		return;
	facts_each_line("/proc/self/mountinfo", match_mount, &m);
	d = json_pack(
	    "{sI sI sI sI sI sb sb sb}", "free", (json_int_t)sv.f_bavail * (json_int_t)sv.f_frsize,
	    "total", (json_int_t)sv.f_blocks * (json_int_t)sv.f_frsize, "inodes",
	    (json_int_t)sv.f_files, "inodes_free", (json_int_t)sv.f_favail, "dev",
	    (json_int_t)st.st_dev, "readonly", (sv.f_flag & ST_RDONLY) != 0, "noexec",
	    (sv.f_flag & ST_NOEXEC) != 0, "at_boot", m.point ? mounted_at_boot(m.point) : true);
	facts_string(d, "mount", m.point ? m.point : "");
	facts_string(d, "type", m.type ? m.type : "");
	json_object_set_new(disks, path, d);
	free(m.point);
	free(m.type);
}

/* ---- below the pods' logs ---- */

static void match_pod_log(void *ctx, char *line)
{
	const char *word = mount_point(line);

	if (word && strcmp(word, POD_LOGS) != 0 && is_below(word, POD_LOGS))
		facts_add(ctx, word);
}

/* kubelet removes what lies there and is of no pod, mounted or not, once a minute. */
static json_t *pod_log_mounts(void)
{
	json_t *points = json_array();

	facts_each_line("/proc/self/mountinfo", match_pod_log, points);
	return points;
}

/* A fresh ext file system is no data. */
static bool only_lost_found(const char *path)
{
	auto_strlist names = {0};
	struct err ignored = {0};

	return fs_list(path, &names, &ignored) == 0 && names.n == 1 &&
	       strcmp(names.v[0], "lost+found") == 0;
}

void facts_disk(const json_t *args, json_t *out)
{
	static const char *const paths[] = {
	    DIR_OPT, DIR_BIN,   "/etc", DIR_STATE, "/var/lib/containerd", "/var/lib/kubelet",
	    ETCD,    "/var/log"};
	const char *etcd = json_string_value(json_object_get(args, "etcd_dir"));
	json_t *disks = json_object();

	if (!etcd || *etcd != '/')
		etcd = ETCD;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		add_disk(disks, paths[i]);
	add_disk(disks, etcd);
	json_object_set_new(out, "disks", disks);
	json_object_set_new(out, "pod_log_mounts", pod_log_mounts());
	json_object_set_new(out, "etcd_only_lost_found", json_boolean(only_lost_found(etcd)));
}
