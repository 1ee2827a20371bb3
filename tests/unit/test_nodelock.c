/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include "err.h"
#include "fs.h"
#include "link.h"
#include "lock.h"
#include "mem.h"
#include "strbuf.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct place {
	char dir[32], path[48];
};

static int set_up(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/test-nodelock-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/lock", p->dir);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	struct err err = {0};

	assert_int_equal(fs_remove_tree(p->dir, &err), 0);
	free(p);
	return 0;
}

static int take(const struct place *p, pid_t attended_by, struct err *err)
{
	const struct lock_wait w = {.attended_by = attended_by, .grace_ms = 50, .wait_ms = 10000};

	return lock_take(p->path, &w, err);
}

/* A process that takes the lock for attended_by, says so, and ends when go is closed. */
struct holder {
	pid_t pid;
	int go;
};

static struct holder hold(const struct place *p, pid_t attended_by)
{
	struct holder h;
	struct err err = {0};
	int ready[2], go[2];
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	h.pid = fork();
	if (h.pid == 0) {
		int fd;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		fd = take(p, attended_by ? attended_by : getpid(), &err);
		(void)!write(ready[1], "", fd >= 0);
		close(ready[1]);
		(void)!read(go[0], &c, 1);
		lock_release(p->path, fd);
		_exit(fd < 0);
	}
	close(ready[1]);
	close(go[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	h.go = go[1];
	return h;
}

static void end(struct holder *h)
{
	int status;

	close(h->go);
	assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	assert_int_equal(status, 0);
}

static pid_t ended_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

static void one_at_a_time(void **state)
{
	struct place *p = *state;
	struct holder h = hold(p, 0);
	struct err err = {0};
	int fd;

	assert_int_equal(take(p, getpid(), &err), -1);
	assert_string_equal(err.msg, "another installer is at work on this machine: wait until it "
	                             "has finished");
	end(&h);
	assert_false(fs_exists(p->path));
	fd = take(p, getpid(), &err);
	assert_true(fd >= 0);
	lock_release(p->path, fd);
	assert_false(fs_exists(p->path));
}

static void a_killed_holder_leaves_it_free(void **state)
{
	struct place *p = *state;
	struct holder h = hold(p, 0);
	struct err err = {0};
	int fd;

	kill(h.pid, SIGKILL);
	waitpid(h.pid, NULL, 0);
	close(h.go);
	fd = take(p, getpid(), &err);
	assert_true(fd >= 0);
	lock_release(p->path, fd);
}

static int end_holder(void *ctx, struct err *err)
{
	struct holder *h = ctx;

	(void)err;
	if (h->go >= 0)
		close(h->go);
	h->go = -1;
	return 0;
}

static int give_up(void *ctx, struct err *err)
{
	++*(int *)ctx;
	return err_set(err, "given up");
}

/* The holder's controller is gone: its operation is waited for, and a message says so. */
static void waits_for_an_orphan(void **state)
{
	struct place *p = *state;
	struct holder h = hold(p, ended_process());
	struct err err = {0};
	struct lock_wait w = {.attended_by = getpid(),
	                      .grace_ms = 50,
	                      .wait_ms = 30000,
	                      .waiting = end_holder,
	                      .ctx = &h};
	int fd = lock_take(p->path, &w, &err);

	assert_true(fd >= 0);
	assert_int_equal(h.go, -1);
	waitpid(h.pid, NULL, 0);
	lock_release(p->path, fd);
}

static void the_wait_can_be_ended(void **state)
{
	struct place *p = *state;
	struct holder h = hold(p, ended_process());
	struct err err = {0};
	int calls = 0;
	struct lock_wait w = {.attended_by = getpid(),
	                      .grace_ms = 50,
	                      .wait_ms = 30000,
	                      .waiting = give_up,
	                      .ctx = &calls};

	assert_int_equal(lock_take(p->path, &w, &err), -1);
	assert_string_equal(err.msg, "given up");
	assert_int_equal(calls, 1);
	end(&h);
}

/* A command that was started under the lock outlives the process that took it. */
static void an_inherited_descriptor_holds_it(void **state)
{
	struct place *p = *state;
	struct err err = {0};
	int fd = take(p, getpid(), &err), in[2];
	pid_t pid;

	assert_true(fd >= 0);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		execlp("cat", "cat", (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	lock_release(p->path, fd);
	assert_true(fs_exists(p->path));
	assert_int_equal(take(p, getpid(), &err), -1);
	close(in[1]);
	waitpid(pid, NULL, 0);
	fd = take(p, getpid(), &err);
	assert_true(fd >= 0);
	lock_release(p->path, fd);
}

/* A number that another process has by now is not the process that was named. */
static void another_process_of_that_number_is_no_controller(void **state)
{
	struct place *p = *state;
	struct holder h = hold(p, getpid());
	struct err err = {0};
	int calls = 0, fd = open(p->path, O_RDWR | O_CLOEXEC);
	struct lock_wait w = {.attended_by = getpid(),
	                      .grace_ms = 50,
	                      .wait_ms = 30000,
	                      .waiting = give_up,
	                      .ctx = &calls};
	auto_free char *text = xasprintf("%d 1\n", (int)getpid());

	assert_int_equal(lock_take(p->path, &w, &err), -1);
	assert_int_equal(calls, 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	close(fd);
	assert_int_equal(lock_take(p->path, &w, &err), -1);
	assert_int_equal(calls, 1);
	end(&h);
}

static void refuses_a_file_that_others_can_open(void **state)
{
	struct place *p = *state;
	struct err err = {0};
	auto_free char *message = xasprintf("%s: not a file of root's alone; remove it", p->path);
	auto_close int fd = open(p->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	fchmod(fd, 0644);
	assert_int_equal(take(p, getpid(), &err), -1);
	assert_string_equal(err.msg, message);
	unlink(p->path);
	assert_int_equal(symlink("/dev/null", p->path), 0);
	assert_int_equal(take(p, getpid(), &err), -1);
	assert_non_null(strstr(err.msg, "Too many levels of symbolic links"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(one_at_a_time, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_killed_holder_leaves_it_free, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(waits_for_an_orphan, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_wait_can_be_ended, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_inherited_descriptor_holds_it, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(another_process_of_that_number_is_no_controller, set_up,
	                                    tear_down),
	    cmocka_unit_test_setup_teardown(refuses_a_file_that_others_can_open, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
