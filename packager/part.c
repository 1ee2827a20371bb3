// SPDX-License-Identifier: Apache-2.0
#include "part.h"

#include "err.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

static bool is_yes(const struct conf *c, const char *key)
{
	const char *value = conf_get(c, key);

	return value && !strcmp(value, "yes");
}

static int expand_all(struct conf *c, const struct conf *vars, struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		struct strbuf value = {0};

		if (conf_expand(vars, c->name, c->v[i].value, &value, err) < 0) {
			strbuf_release(&value);
			return -1;
		}
		free(c->v[i].value);
		strbuf_addstr(&value, "");
		c->v[i].value = strbuf_detach(&value);
	}
	return 0;
}

int part_load(const char *dir, const char *name, const struct conf *vars, struct part *out,
              struct err *err)
{
	struct part p = {.name = xstrdup(name), .dir = xasprintf("%s/%s", dir, name)};
	auto_free char *path = xasprintf("%s/part.conf", p.dir);
	const char *module;
	size_t at = 0;

	if (conf_load(path, &p.conf, err) < 0 || expand_all(&p.conf, vars, err) < 0)
		goto fail;
	while ((module = conf_next(&p.conf, "module", &at))) {
		if (!strchr(module, ' ')) {
			err_set(err, "%s: module \"%s\" has no version", path, module);
			goto fail;
		}
		strlist_add(&p.modules, module);
	}
	p.output = conf_need(&p.conf, "output", err);
	p.component = conf_need(&p.conf, "component", err);
	if (!p.output || !p.component || !conf_need(&p.conf, "module", err))
		goto fail;
	p.package = conf_get(&p.conf, "package");
	if (!p.package)
		p.package = ".";
	p.series = is_yes(&p.conf, "series");
	p.staging = is_yes(&p.conf, "staging");
	p.cgo = is_yes(&p.conf, "cgo");
	p.test = is_yes(&p.conf, "test");
	p.setuid = is_yes(&p.conf, "setuid");
	*out = p;
	return 0;
fail:
	part_release(&p);
	return -1;
}

bool part_copies(const struct part *p, size_t i)
{
	auto_free char *path = NULL, *version = NULL;
	const char *value;
	size_t at = 0;

	part_module(p->modules.v[i], &path, &version);
	while ((value = conf_next(&p->conf, "copy", &at)))
		if (strcmp(value, path) == 0 || (i == 0 && strcmp(value, "yes") == 0))
			return true;
	return false;
}

char *part_copy_dir(size_t i)
{
	return i ? xasprintf("module-%zu", i) : xstrdup("module");
}

const char *part_next_of(const struct part *p, const char *key, size_t i, size_t *at)
{
	auto_free char *path = NULL, *version = NULL;
	const char *value;

	part_module(p->modules.v[i], &path, &version);
	while ((value = conf_next(&p->conf, key, at))) {
		const char *space = strchr(value, ' ');
		size_t len = space ? (size_t)(space - value) : 0;

		if (!space && i == 0)
			return value;
		if (space && len == strlen(path) && strncmp(value, path, len) == 0)
			return space + 1;
	}
	return NULL;
}

void part_release(struct part *p)
{
	free(p->name);
	free(p->dir);
	conf_release(&p->conf);
	strlist_release(&p->modules);
	*p = (struct part){0};
}

void part_module(const char *module, char **path, char **version)
{
	const char *space = strchr(module, ' ');

	*path = xstrndup(module, (size_t)(space - module));
	*version = xstrdup(space + 1);
}

char *part_minor(const struct part *p, char separator)
{
	auto_free char *path = NULL, *version = NULL;
	char *dot;

	part_module(p->modules.v[0], &path, &version);
	dot = strrchr(version, '.');
	if (dot)
		*dot = '\0';
	while ((dot = strchr(version, '.')))
		*dot = separator;
	return steal(&version);
}
