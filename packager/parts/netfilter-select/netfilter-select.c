// SPDX-License-Identifier: Apache-2.0

/*
 * netfilter-select PROGRAM [ARGUMENT...]: runs PROGRAM with the iptables that this kernel takes.
 *
 * There are two: over nf_tables, and over the older ip_tables ("legacy"). Both would be accepted on
 * many kernels and not see each other's rules, so one whose rules of Kubernetes are in the kernel
 * already is taken; else the first that can add what kube-proxy and flannel need: a chain in table
 * nat with a comment match and a masquerade target. Called as kube-proxy (kubeadm's DaemonSet runs
 * /usr/local/bin/kube-proxy) it runs /bin/kube-proxy.
 */

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef NETFILTER_DIR
#define NETFILTER_DIR "/usr/local/lib/netfilter" /* has nft/iptables, legacy/iptables, ... */
#endif
#define KUBE_PROXY   "/bin/kube-proxy"
#define PATH_MAX_LEN 512

static const char *const variants[] = {"nft", "legacy"};

/* Runs DIR/VARIANT/PROGRAM ARGS; its output goes to out (-1: nowhere). Returns its status. */
static int run(const char *variant, const char *program, const char *const args[], int out)
{
	char path[PATH_MAX_LEN], *argv[16] = {path};
	posix_spawn_file_actions_t files;
	int status = -1;
	pid_t pid;

	snprintf(path, sizeof(path), NETFILTER_DIR "/%s/%s", variant, program);
	for (int i = 0; i < 14 && args[i]; i++)
		argv[i + 1] = (char *)(uintptr_t)args[i];
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	if (out < 0)
		posix_spawn_file_actions_adddup2(&files, 0, 1);
	else
		posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_adddup2(&files, 0, 2);
	if (posix_spawn(&pid, path, &files, NULL, argv, environ) == 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	posix_spawn_file_actions_destroy(&files);
	return status;
}

/* Does "iptables-save" show chains of kube-proxy? Its output is short enough for a file in memory.
 */
static bool has_kube_chains(const char *variant)
{
	const char *const args[] = {NULL};
	int fd = memfd_create("rules", MFD_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r+");
	char line[1024];
	bool found = false;

	if (!f)
		return false;
	if (run(variant, "iptables-save", args, fileno(f)) == 0) {
		rewind(f);
		while (!found && fgets(line, sizeof(line), f))
			found = !strncmp(line, ":KUBE-", 6);
	}
	fclose(f);
	return found;
}

/* Adds a chain of its own with such a rule, and takes it away again. */
static bool works(const char *variant)
{
	char chain[32];
	unsigned id = 0;

	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) < 0)
		id = (unsigned)getpid();
	snprintf(chain, sizeof(chain), "KUBECASK-PROBE-%08x", id);

	const char *const new[] = {"-w", "5", "-t", "nat", "-N", chain, NULL};
	const char *const rule[] = {"-w",  "5",          "-t",      "nat",       "-A",
	                            chain, "-m",         "comment", "--comment", "probe",
	                            "-j",  "MASQUERADE", NULL};
	const char *const flush[] = {"-w", "5", "-t", "nat", "-F", chain, NULL};
	const char *const delete[] = {"-w", "5", "-t", "nat", "-X", chain, NULL};
	bool ok;

	if (run(variant, "iptables", new, -1) != 0)
		return false;
	ok = run(variant, "iptables", rule, -1) == 0;
	run(variant, "iptables", flush, -1);
	run(variant, "iptables", delete, -1);
	return ok;
}

static const char *choose(const char **why)
{
	for (size_t i = 0; i < 2; i++)
		if (has_kube_chains(variants[i])) {
			*why = "it holds chains of Kubernetes already";
			return variants[i];
		}
	for (size_t i = 0; i < 2; i++)
		if (works(variants[i])) {
			*why = "it works on this kernel";
			return variants[i];
		}
	*why = "no iptables works on this kernel; only nft may";
	return variants[0];
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/'), *program, *path = getenv("PATH"), *variant, *why;
	char new_path[4096];

	name = name ? name + 1 : argv[0];
	if (!strcmp(name, "kube-proxy")) {
		program = KUBE_PROXY;
	} else if (argc > 1) {
		program = argv[1];
		argv++;
	} else {
		fputs("usage: netfilter-select PROGRAM [ARGUMENT...]\n", stderr);
		return 2;
	}
	variant = choose(&why);
	fprintf(stderr, "netfilter-select: iptables over %s: %s\n",
	        variant == variants[0] ? "nf_tables (nft)" : "ip_tables (legacy)", why);
	snprintf(new_path, sizeof(new_path), NETFILTER_DIR "/%s:%s", variant,
	         path && *path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
	if (setenv("PATH", new_path, 1) == 0)
		execv(program, argv);
	fprintf(stderr, "netfilter-select: %s: %s\n", program, strerror(errno));
	return 127;
}
