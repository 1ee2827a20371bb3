// SPDX-License-Identifier: Apache-2.0
#include "units.h"

#include "digest.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "selinux.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_UNITS   "/etc/systemd/system"
#define DIR_SYSCTL  "/etc/sysctl.d"
#define DIR_MODULES "/etc/modules-load.d"
#define FILE_MAX    (1u << 20)

/* What the programs need mounted before they start: systemd.unit(5), RequiresMountsFor. containerd
 * needs the first two of them. */
static const char *const mounts[] = {DIR_OPT, "/var/lib/containerd", "/var/lib/kubelet",
                                     "/var/lib/etcd"};

bool units_is_ours(const char *path)
{
	char target[256], head[sizeof(UNITS_MARK) - 1];
	auto_close int fd = -1;
	struct stat st;
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n > 0) {
		target[n] = '\0';
		if (strncmp(target, DIR_OPT "/", strlen(DIR_OPT "/")) == 0)
			return true;
		/* multi-user.target.wants/NAME leads to our file */
		if (strncmp(target, DIR_UNITS "/", strlen(DIR_UNITS "/")) != 0)
			return false;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       fs_read_all(fd, head, sizeof(head)) == 0 &&
	       memcmp(head, UNITS_MARK, sizeof(head)) == 0;
}

/* ---- content ---- */

/* The path with the links in it resolved, as far as it exists; the caller's. */
static char *resolve(const char *path)
{
	auto_free char *dir = xstrdup(path);
	auto_free char *real = realpath(dir, NULL);
	char *slash;

	while (!real && (slash = strrchr(dir, '/')) && slash != dir) {
		*slash = '\0';
		real = realpath(dir, NULL);
	}
	if (!real || strcmp(real, "/") == 0)
		return xstrdup(path);
	return xasprintf("%s%s", real, path + strlen(dir));
}

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = strstr(text, word); p; p = strstr(p + 1, word))
		if (p > text && strchr(" =", p[-1]) && (!p[len] || strchr(" \n", p[len])))
			return true;
	return false;
}

/* A unit waits for the file systems that hold our directories, also where links lead to them. */
static void add_unit(struct strbuf *out, const char *body, size_t n_mounts)
{
	const char *head = "[Unit]\n", *at = strstr(body, head);
	auto_strbuf line = {0};

	if (!at) {
		strbuf_addstr(out, body);
		return;
	}
	at += strlen(head);
	for (size_t i = 0; i < n_mounts; i++) {
		auto_free char *real = resolve(mounts[i]);

		if (!has_word(body, mounts[i]))
			strbuf_addf(&line, " %s", mounts[i]);
		if (strcmp(real, mounts[i]) != 0 && !strpbrk(real, " \t\n\"'\\%") &&
		    !has_word(body, real))
			strbuf_addf(&line, " %s", real);
	}
	strbuf_add(out, body, (size_t)(at - body));
	if (line.len)
		strbuf_addf(out, "RequiresMountsFor=%s\n", line.buf + 1);
	strbuf_addstr(out, at);
}

static void add_mark(struct strbuf *out, const char *content, const char *advice)
{
	struct digest d;
	auto_strbuf rest = {0};

	strbuf_addf(&rest, "# %s\n%s", advice, content);
	digest_data(rest.buf, rest.len, &d);
	strbuf_addf(out, UNITS_MARK "%s\n%s", digest_hex(&d), rest.buf);
}

/* Does the digest in the first line match no more? */
static bool edited(const struct strbuf *text)
{
	const char *mark = strbuf_str(text), *rest = strchr(mark, '\n');
	struct digest d;

	if (strncmp(mark, UNITS_MARK, strlen(UNITS_MARK)) != 0 || !rest)
		return false;
	rest++;
	digest_data(rest, text->len - (size_t)(rest - mark), &d);
	return strncmp(mark + strlen(UNITS_MARK), digest_hex(&d), DIGEST_HEX_LEN) != 0;
}

/* ---- placing ---- */

static int in_the_way(const char *path, struct err *err)
{
	char target[256];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n == 9 && memcmp(target, "/dev/null", 9) == 0)
		return err_set(err, "%s: the unit is masked (systemctl unmask %s)", path,
		               strrchr(path, '/') + 1);
	return err_set(err,
	               "%s: it is not from kubecask: remove it, and keep its settings in a drop-in "
	               "if they are needed",
	               path);
}

static int keep_edited(struct units *u, const char *path, struct err *err)
{
	auto_free char *copy = xasprintf("%s.saved", path);

	if (fs_copy(path, copy, err) < 0)
		return -1;
	strlist_add(&u->saved, copy);
	journal("%s had been edited: kept as %s", path, copy);
	return 0;
}

static int add_file(struct units *u, const char *dir, const char *name, const char *content,
                    const char *advice, struct err *err)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	auto_free char *tmp = xasprintf("%s.kubecask-new", path);
	auto_strbuf now = {0}, text = {0};
	struct err ignored = {0};
	char link[2];
	bool regular;

	if (fs_mkdir_p(dir, 0755, err) < 0)
		return -1;
	if (fs_exists(path) && !units_is_ours(path))
		return in_the_way(path, err);
	add_mark(&text, content, advice);
	regular = readlink(path, link, sizeof(link)) < 0 &&
	          fs_read(path, FILE_MAX, &now, &ignored) == 0;
	u->v[u->n].path = steal(&path);
	u->n++;
	if (regular && now.len == text.len && memcmp(now.buf, text.buf, text.len) == 0)
		return 0;
	if (regular && edited(&now) && keep_edited(u, u->v[u->n - 1].path, err) < 0)
		return -1;
	u->v[u->n - 1].tmp = xstrdup(tmp); /* removed also when it could not be made durable */
	return fs_write_atomic(tmp, text.buf, text.len, 0644, err);
}

static int add_unit_file(struct units *u, const char *dir, const char *name, struct err *err)
{
	auto_free char *source = xasprintf("%s/systemd/%s", dir, name);
	auto_free char *advice = xasprintf(
	    "do not edit: the next version replaces it. For your settings: systemctl edit %s",
	    name);
	auto_strbuf body = {0}, text = {0};

	if (fs_read(source, FILE_MAX, &body, err) < 0)
		return -1;
	add_unit(&text, strbuf_str(&body),
	         strcmp(name, "kubelet.service") == 0 ? ARRAY_SIZE(mounts) : 2);
	return add_file(u, DIR_UNITS, name, strbuf_str(&text), advice, err);
}

int units_prepare(struct units *u, const char *dir, const char *modules, const char *sysctl,
                  struct err *err)
{
	static const char advice[] =
	    "do not edit: the next version replaces it. Your settings belong in another file";

	if (add_unit_file(u, dir, "containerd.service", err) < 0 ||
	    add_unit_file(u, dir, "kubelet.service", err) < 0 ||
	    add_file(u, DIR_SYSCTL, "90-kubecask.conf", sysctl, advice, err) < 0)
		return -1;
	return add_file(u, DIR_MODULES, "kubecask.conf", modules, advice, err);
}

bool units_changed(const struct units *u)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->v[i].tmp)
			return true;
	return false;
}

int units_commit(struct units *u, struct err *err)
{
	for (size_t i = 0; i < u->n; i++) {
		if (!u->v[i].tmp)
			continue;
		if (fs_rename(u->v[i].tmp, u->v[i].path, err) < 0)
			return -1;
		free(u->v[i].tmp);
		u->v[i].tmp = NULL;
		selinux_restore(u->v[i].path);
	}
	return 0;
}

void units_release(struct units *u)
{
	for (size_t i = 0; i < u->n; i++) {
		if (u->v[i].tmp)
			unlink(u->v[i].tmp);
		free(u->v[i].tmp);
		free(u->v[i].path);
	}
	strlist_release(&u->saved);
	*u = (struct units){0};
}

static const char *const paths[] = {DIR_UNITS "/multi-user.target.wants/containerd.service",
                                    DIR_UNITS "/multi-user.target.wants/kubelet.service",
                                    DIR_UNITS "/containerd.service",
                                    DIR_UNITS "/kubelet.service",
                                    DIR_SYSCTL "/90-kubecask.conf",
                                    DIR_MODULES "/kubecask.conf"};

void units_remove_leftovers(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		auto_free char *tmp = xasprintf("%s.kubecask-new", paths[i]);

		unlink(tmp);
		fs_remove_temporaries(tmp);
	}
}

int units_remove(struct err *err)
{
	int rc = 0;

	units_remove_leftovers();
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (units_is_ours(paths[i]) && unlink(paths[i]) < 0)
			rc = fs_fail(err, "remove", paths[i]);
	return rc;
}
