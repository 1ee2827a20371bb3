// SPDX-License-Identifier: Apache-2.0
#include "licence.h"

#include "conf.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define FILE_MAX (1u << 20)

static bool is_licence(const char *name)
{
	static const char *const names[] = {"LICENSE", "LICENCE", "COPYING",  "COPYRIGHT",
	                                    "NOTICE",  "PATENTS", "UNLICENSE"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i]);

		if (strncasecmp(name, names[i], len) == 0 && !strchr(name + len, '/') &&
		    (!name[len] || name[len] == '.' || name[len] == '-'))
			return true;
	}
	return false;
}

/* What a module's top directory says, or that it says nothing. */
static int add_texts(const char *module, const char *dir, struct strbuf *text, struct err *err)
{
	auto_strlist names = {0};
	bool any = false;

	if (fs_list(dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf("%s/%s", dir, names.v[i]);
		struct stat st;

		if (!is_licence(names.v[i]) || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		strbuf_addf(text, "==== %s: %s\n\n", module, names.v[i]);
		if (fs_read(path, FILE_MAX, text, err) < 0)
			return -1;
		strbuf_addstr(text, "\n");
		any = true;
	}
	if (!any)
		strbuf_addf(text,
		            "==== %s has no licence file of its own: that of its repository\n\n",
		            module);
	return 0;
}

/* "MODULE VERSION DIR": the first two words are one name here. */
static int add_module(const char *line, struct conf *record, struct strbuf *text, struct err *err)
{
	const char *space = strchr(line, ' '), *dir = space ? strchr(space + 1, ' ') : NULL;
	auto_free char *module = dir ? xstrndup(line, (size_t)(dir - line)) : NULL;

	if (!module || dir == space + 1) /* the program itself has no version */
		return 0;
	conf_set(record, "linked", module);
	return add_texts(module, dir + 1, text, err);
}

int licence_collect(const char *lines, const char *goroot, const char *version, struct conf *record,
                    struct strbuf *text, struct err *err)
{
	auto_strlist all = {0};
	auto_free char *library = xasprintf("std %s %s", version, goroot);

	strlist_add(&all, library);
	while (*lines) {
		size_t len = strcspn(lines, "\n");
		auto_free char *line = xstrndup(lines, len);

		if (len && !strlist_has(&all, line))
			strlist_add(&all, line);
		lines += len + (lines[len] == '\n');
	}
	strlist_sort(&all);
	for (size_t i = 0; i < all.n; i++)
		if (add_module(all.v[i], record, text, err) < 0)
			return -1;
	return 0;
}
