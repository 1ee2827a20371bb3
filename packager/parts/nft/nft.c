// SPDX-License-Identifier: Apache-2.0

/*
 * nft of the bundle, which the CNI plugins portmap and bridge call on a node. It is Debian's
 * program with Debian's libraries (layer nettools, unpacked beside this program's directory), and
 * runs by its own dynamic loader: the node needs neither nft nor a C library of the same age.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARIES    "lib/x86_64-linux-gnu"
#define LOADER       LIBRARIES "/ld-linux-x86-64.so.2"
#define PROGRAM      "usr/sbin/nft"
#define OWN_ARGS     7
#define PATH_MAX_LEN 4096

/* The directory above the one that this program lies in; "" when it cannot be told. */
static void find_top(char top[static PATH_MAX_LEN])
{
	ssize_t n = readlink("/proc/self/exe", top, PATH_MAX_LEN - 1);
	char *slash;

	top[n < 0 ? 0 : n] = '\0';
	for (int i = 0; i < 2; i++) {
		slash = strrchr(top, '/');
		if (slash)
			*slash = '\0';
	}
}

int main(int argc, char **argv)
{
	char top[PATH_MAX_LEN], loader[PATH_MAX_LEN + 64], program[PATH_MAX_LEN + 64];
	char libraries[2 * PATH_MAX_LEN + 128];
	char **args = calloc((size_t)argc + OWN_ARGS, sizeof(*args));

	if (!args) {
		fputs("nft: out of memory\n", stderr);
		return 127;
	}
	find_top(top);
	snprintf(loader, sizeof(loader), "%s/" LOADER, top);
	snprintf(program, sizeof(program), "%s/" PROGRAM, top);
	snprintf(libraries, sizeof(libraries), "%s/" LIBRARIES ":%s/usr/" LIBRARIES, top, top);

	char name[] = "nft", no_cache[] = "--inhibit-cache";
	char library_path[] = "--library-path", argv0[] = "--argv0";
	char *const own[OWN_ARGS] = {loader, no_cache, library_path, libraries,
	                             argv0,  name,     program};

	memcpy(args, own, sizeof(own));
	for (int i = 1; i < argc; i++)
		args[OWN_ARGS + i - 1] = argv[i];
	execv(loader, args);
	fprintf(stderr, "nft: %s: %s\n", loader, strerror(errno));
	free(args);
	return 127;
}
