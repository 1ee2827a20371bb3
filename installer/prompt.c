// SPDX-License-Identifier: Apache-2.0
#include "prompt.h"

#include "err.h"
#include "fs.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define LINE_BYTES 1024

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

static volatile sig_atomic_t caught; /* the signal that came while a question was open */

static void on_signal(int sig)
{
	caught = sig;
}

/* One byte. With open, signals are blocked but for the wait itself: one that comes between the
 * question and the wait is not lost. */
static ssize_t read_byte(int fd, char *to, const sigset_t *open)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (open && ppoll(&p, 1, NULL, open) < 0)
		return -1;
	return read(fd, to, 1);
}

/* One line from fd into a fresh string. NULL: end of file before any byte, a signal, or an error.
 * open: the signals that may end it; NULL: fd is no terminal. */
static char *read_line(int fd, const sigset_t *open, const char *what, struct err *err)
{
	char buf[LINE_BYTES];
	size_t n = 0;
	ssize_t r = 0;
	char *s = NULL;

	while (n < sizeof(buf) && (r = read_byte(fd, buf + n, open)) == 1 && buf[n] != '\n')
		n++;
	if (n == sizeof(buf))
		err_set_code(err, EXIT_USAGE, "%s: longer than %d bytes", what, LINE_BYTES - 1);
	else if (r < 0)
		err_set(err, "%s: %s", what, strerror(errno));
	else if (r == 0 && n == 0)
		err_set_code(err, EXIT_USAGE, "%s: nothing to read", what);
	else
		s = xstrndup(buf, n && buf[n - 1] == '\r' ? n - 1 : n);
	explicit_bzero(buf, sizeof(buf));
	return s;
}

/* Asks once. With a signal caught the answer is NULL, and the terminal is as it was. */
static char *ask_once(int tty, const char *question, bool echo, struct err *err)
{
	struct sigaction act = {.sa_handler = on_signal}, was[ARRAY_SIZE(signals)];
	struct termios before, quiet;
	bool changed = false;
	sigset_t blocked, open;
	char *s = NULL;

	caught = 0;
	sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&blocked, signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, &open);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		sigaction(signals[i], NULL, &was[i]);
		if (was[i].sa_handler != SIG_IGN) /* nohup and the like */
			sigaction(signals[i], &act, NULL);
	}
	if (!echo && tcgetattr(tty, &before) == 0) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
		changed = tcsetattr(tty, TCSAFLUSH, &quiet) == 0;
	}
	if (!echo && !changed)
		err_set(err, "/dev/tty: %s", strerror(errno));
	else if (fs_write_all(tty, question, strlen(question)) == 0)
		s = read_line(tty, &open, "answer", err);
	if (changed) {
		tcsetattr(tty, TCSAFLUSH, &before);
		fs_write_all(tty, "\n", 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &was[i], NULL);
	sigprocmask(SIG_SETMASK, &open, NULL);
	return s;
}

static char *ask(const char *question, bool echo, const char *no_terminal, struct err *err)
{
	auto_close int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (tty < 0) {
		err_set_code(err, EXIT_USAGE, "%s", no_terminal);
		return NULL;
	}
	for (;;) {
		struct err e = {0};
		char *s = ask_once(tty, question, echo, &e);
		int sig = caught;

		if (!sig && !s)
			*err = e;
		if (!sig)
			return s;
		if (s)
			explicit_bzero(s, strlen(s));
		free(s);
		raise(sig); /* the program's own handler runs now */
		if (sig != SIGTSTP) {
			err_set(err, "interrupted");
			return NULL;
		}
	}
}

char *prompt_secret(const char *question, const char *no_terminal, struct err *err)
{
	return ask(question, false, no_terminal, err);
}

char *prompt_line(const char *question, const char *no_terminal, struct err *err)
{
	return ask(question, true, no_terminal, err);
}

/* Can users of the class that has bit (S_IXGRP or S_IXOTH) get to the file? */
static bool reachable(const char *file, mode_t bit)
{
	char path[PATH_MAX];
	struct stat st;
	char *slash;

	if (!realpath(file, path))
		return true;
	while ((slash = strrchr(path, '/'))) {
		slash[slash == path] = '\0';
		if (stat(path, &st) == 0 && !(st.st_mode & bit))
			return false;
		if (slash == path)
			break;
	}
	return true;
}

static int check_mode(int fd, const char *file, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set_code(err, EXIT_USAGE, "--password-file %s: %s", file,
		                    strerror(errno));
	if (!S_ISREG(st.st_mode))
		return 0;
	if (st.st_mode & (S_IWGRP | S_IWOTH) ||
	    (st.st_mode & S_IRGRP && reachable(file, S_IXGRP)) ||
	    (st.st_mode & S_IROTH && reachable(file, S_IXOTH)))
		return err_set_code(err, EXIT_USAGE,
		                    "--password-file %s: mode %04o, other users can get at it: "
		                    "chmod 600 %s",
		                    file, st.st_mode & 07777, file);
	return 0;
}

char *prompt_password_file(const char *file, struct err *err)
{
	auto_close int fd = -1;
	auto_free char *what = xasprintf("--password-file %s", file);
	char *s;

	if (strcmp(file, "-") == 0)
		return read_line(STDIN_FILENO, NULL, what, err);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err_set_code(err, EXIT_USAGE, "%s: %s", what, strerror(errno));
		return NULL;
	}
	if (check_mode(fd, file, err) < 0)
		return NULL;
	s = read_line(fd, NULL, what, err);
	if (s && !*s) {
		err_set_code(err, EXIT_USAGE, "%s: its first line is empty", what);
		free(s);
		return NULL;
	}
	return s;
}
