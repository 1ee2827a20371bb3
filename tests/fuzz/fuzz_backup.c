/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* A file that is said to be a backup, and the metrics of an API server. */
#include "backup.h"
#include "err.h"
#include "json.h"
#include "obstacles.h"
#include "strbuf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void metrics(const uint8_t *data, size_t size)
{
	auto_strbuf text = {0};
	json_t *list = json_array(), *one;
	size_t i;

	strbuf_add(&text, data, size);
	obstacles_parse_metrics(strbuf_str(&text), list);
	json_array_foreach (list, i, one)
		if (!*json_text(one, "removed"))
			abort();
	json_decref(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("backup", MFD_CLOEXEC);
	json_t *manifest = NULL;
	struct err err = {0};
	char path[64];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (backup_read(path, NULL, &manifest, &err) == 0) {
		if (!json_is_array(json_object_get(manifest, "files")))
			abort();
		json_decref(manifest);
	} else if (!*err.msg) {
		abort();
	}
	close(fd);
	metrics(data, size);
	return 0;
}
