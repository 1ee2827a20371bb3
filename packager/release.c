// SPDX-License-Identifier: Apache-2.0
#include "release.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *number(const char *s)
{
	if (!isdigit((unsigned char)*s) || (s[0] == '0' && isdigit((unsigned char)s[1])))
		return NULL;
	for (int n = 0; isdigit((unsigned char)*s); s++)
		if (++n > 4)
			return NULL;
	return s;
}

bool release_version_ok(const char *version)
{
	const char *s = version[0] == 'v' ? number(version + 1) : NULL;

	s = s && *s == '.' ? number(s + 1) : NULL;
	s = s && *s == '.' ? number(s + 1) : NULL;
	return s && !*s;
}

static int known_minors(const char *dir, const char *version, struct err *err)
{
	auto_strlist names = {0};
	auto_strbuf known = {0};

	if (fs_list(dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		const char *dot = strstr(names.v[i], ".conf");
		auto_free char *name = dot && !dot[5]
		                           ? xstrndup(names.v[i], (size_t)(dot - names.v[i]))
		                           : NULL;

		if (name && !release_version_ok(name))
			strbuf_addf(&known, " %s", name);
	}
	return err_set(err, "Kubernetes %s: %s has no file for this minor; it has:%s", version, dir,
	               known.len ? strbuf_str(&known) : " none");
}

static int read_epoch(const struct conf *file, long long *out, struct err *err)
{
	const char *text = getenv("SOURCE_DATE_EPOCH"), *what = "SOURCE_DATE_EPOCH";
	char *end;

	if (!text || !*text) {
		what = file->name;
		text = conf_need(file, "epoch", err);
		if (!text)
			return -1;
	}
	errno = 0;
	*out = strtoll(text, &end, 10);
	if (errno || end == text || *end || *out < 0 || *out > 8589934591LL) /* what ustar holds */
		return err_set(err, "%s: \"%s\" is no time stamp", what, text);
	return 0;
}

/* "etcd = v3.7.0" becomes etcd-version. */
static void add_components(struct conf *vars, const struct conf *file)
{
	for (size_t i = 0; i < file->n; i++) {
		auto_free char *key = xasprintf("%s-version", file->v[i].key);

		conf_set(vars, key, file->v[i].value);
	}
}

int release_load(const char *dir, const char *version, struct release *out, struct err *err)
{
	struct release r = {.version = xstrdup(version)};
	size_t minor_len = (size_t)(strrchr(version, '.') - version);
	auto_free char *path = xasprintf("%s/%.*s.conf", dir, (int)minor_len, version);
	auto_free char *major = xstrndup(version + 1, strcspn(version, ".") - 1);
	auto_free char *minor = xstrndup(version + 2 + strlen(major),
	                                 minor_len - 2 - strlen(major));
	auto_free char *own_path = xasprintf("%s/%s.conf", dir, version);
	auto_conf file = {0}, own = {0};

	if (!fs_exists(path)) {
		release_release(&r);
		return known_minors(dir, version, err);
	}
	r.lock_path = xasprintf("%s/%s.lock", dir, version);
	if ((fs_exists(own_path) && conf_load(own_path, &own, err) < 0) ||
	    conf_load(path, &file, err) < 0 || lock_load(r.lock_path, &r.lock, err) < 0 ||
	    read_epoch(&file, &r.epoch, err) < 0) {
		release_release(&r);
		return -1;
	}
	r.vars.name = xstrdup(path);
	conf_set(&r.vars, "kubernetes-version", version);
	conf_set(&r.vars, "kubernetes-major", major);
	conf_set(&r.vars, "kubernetes-minor", minor);
	conf_set(&r.vars, "kubecask-version", KUBECASK_VERSION);
	conf_set(&r.vars, "lvscare-image", "kubecask.local/lvscare:" KUBECASK_VERSION);
	add_components(&r.vars, &own); /* the first value of a key counts */
	add_components(&r.vars, &file);
	conf_set(&r.vars, "unsafe-etcd-version",
	         "none"); /* versions that kubeadm refuses to upgrade from */
	/* etcdctl and etcdutl are modules of their own, which a proxy may have of fewer versions */
	if (conf_get(&r.vars, "etcd-version"))
		conf_set(&r.vars, "etcd-tools-version", conf_get(&r.vars, "etcd-version"));
	*out = r;
	return 0;
}

void release_release(struct release *r)
{
	free(r->version);
	free(r->lock_path);
	conf_release(&r->vars);
	lock_release(&r->lock);
	*r = (struct release){0};
}
