// SPDX-License-Identifier: Apache-2.0

/*
 * The entrypoint /go-runner of the control plane's images, as upstream's have it (the program
 * kube-log-runner of k8s.io/component-base): runs a program with its output in a log file.
 *
 *   go-runner [-log-file FILE [-also-stdout]] [-redirect-stderr=false] PROGRAM [ARGUMENT...]
 *
 * Options may begin with one or two hyphens. Log files that are rotated by size or age
 * (-log-file-size, -log-file-age) and a flush interval are not there and refused.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

struct options {
	const char *log_file;
	bool also_stdout, keep_stderr;
};

static bool is_false(const char *value)
{
	return strcmp(value, "0") == 0 || strcasecmp(value, "f") == 0 ||
	       strcasecmp(value, "false") == 0;
}

/* Takes the option at argv[*i]; false for a word that is none. */
static bool take(struct options *o, int argc, char **argv, int *i)
{
	const char *word = argv[*i] + 1 + (argv[*i][1] == '-');
	size_t len = strcspn(word, "=");
	const char *value = word[len] ? word + len + 1 : NULL;

	if (len == 8 && strncmp(word, "log-file", len) == 0) {
		o->log_file = value ? value : *i + 1 < argc ? argv[++*i] : NULL;
		return o->log_file != NULL;
	}
	if (len == 11 && strncmp(word, "also-stdout", len) == 0) {
		o->also_stdout = !value || !is_false(value);
		return true;
	}
	if (len == 15 && strncmp(word, "redirect-stderr", len) == 0) {
		o->keep_stderr = value && is_false(value);
		return true;
	}
	return false;
}

static int fail(const char *what)
{
	fprintf(stderr, "go-runner: %s: %s\n", what, strerror(errno));
	return 127;
}

static bool write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			buf += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* Reads until nobody writes any more; a full disk does not stop what goes to the other place. */
static void copy(int from, int log, int out)
{
	char buf[16384];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) != 0) {
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		write_all(log, buf, (size_t)n);
		write_all(out, buf, (size_t)n);
	}
}

/*
 * The program keeps this process, and with it its signals and its status; a child copies what comes
 * through a pipe to both places. Returns the descriptor that takes the output, or -1.
 */
static int open_both(int log)
{
	int p[2];
	pid_t pid;

	if (pipe(p) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		/* not a child of the program, which would have to wait for it */
		if (fork() != 0)
			_exit(0);
		close(p[1]);
		for (int sig = 1; sig < NSIG; sig++)
			if (sig != SIGKILL && sig != SIGSTOP)
				signal(sig, SIG_IGN);
		copy(p[0], log, 1);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	close(p[0]);
	close(log);
	return p[1];
}

int main(int argc, char **argv)
{
	struct options o = {0};
	int i = 1;

	for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (!take(&o, argc, argv, &i)) {
			fprintf(stderr,
			        "go-runner: %s: the options are -log-file FILE, -also-stdout and "
			        "-redirect-stderr\n",
			        argv[i]);
			return 2;
		}
	}
	if (i >= argc) {
		fputs("go-runner: no program to run\n", stderr);
		return 2;
	}
	if (o.log_file && *o.log_file) {
		int fd = open(o.log_file, O_WRONLY | O_CREAT | O_APPEND, 0644);

		if (fd < 0)
			return fail(o.log_file);
		if (o.also_stdout && (fd = open_both(fd)) < 0)
			return fail("pipe");
		if (dup2(fd, 1) < 0)
			return fail(o.log_file);
		close(fd);
	}
	if (!o.keep_stderr && dup2(1, 2) < 0)
		return fail("stderr");
	execvp(argv[i], argv + i);
	return fail(argv[i]);
}
