// SPDX-License-Identifier: Apache-2.0

/* The first process of every pod: holds its namespaces, reaps its orphans, ends when told to. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	sigset_t set;
	int sig;

	if (argc > 1 && (!strcmp(argv[1], "-v") || !strcmp(argv[1], "--version"))) {
		puts("pause (kubecask)");
		return 0;
	}
	if (getpid() != 1)
		fputs("pause: not the first process of its namespace\n", stderr);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (;;) {
		sig = sigwaitinfo(&set, NULL);
		if (sig == SIGINT || sig == SIGTERM)
			return 0;
		if (sig < 0 && errno != EINTR)
			return 1;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}
