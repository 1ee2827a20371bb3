/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

/* How a file looked when it was last looked at. Zeroed: it was not there. */
struct stamp {
	struct stat seen;
};

/* Whether the file has changed since (links are followed); what it looks like now is noted. */
bool stamp_changed(struct stamp *s, const char *path);
/* Whether it was there when it was last looked at. */
bool stamp_exists(const struct stamp *s);
