/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are gone when the test program ends, also when a test failed before it removed them.
 */
#pragma once

#include "fs.h"
#include "mem.h"
#include "strbuf.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct strlist temp_files;
static pid_t temp_owner;

static inline void temp_files_remove(void)
{
	for (size_t i = 0; i < temp_files.n && getpid() == temp_owner; i++)
		unlink(temp_files.v[i]);
	strlist_release(&temp_files);
}

/* A new file with that text; its path is borrowed. */
static inline const char *temp_file(const char *text)
{
	char path[] = "/tmp/kubecask-test.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	if (!temp_owner)
		atexit(temp_files_remove);
	temp_owner = getpid();
	strlist_add(&temp_files, path);
	assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
	close(fd);
	return temp_files.v[temp_files.n - 1];
}
