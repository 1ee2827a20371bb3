// SPDX-License-Identifier: Apache-2.0
#include "stamp.h"

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool stamp_changed(struct stamp *s, const char *path)
{
	struct stat now;

	if (stat(path, &now) < 0)
		now = (struct stat){0};
	if (same(&now, &s->seen))
		return false;
	s->seen = now;
	return true;
}

bool stamp_exists(const struct stamp *s)
{
	return s->seen.st_ino != 0;
}
