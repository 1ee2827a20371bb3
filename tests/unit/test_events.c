/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "events.h"
#include "strbuf.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int saved = -1, caught = -1;

/* stderr into a file in memory, and what came. */
static void catch_stderr(void)
{
	char name[] = "/tmp/test_events.XXXXXX";

	saved = dup(STDERR_FILENO);
	caught = mkstemp(name);
	unlink(name);
	dup2(caught, STDERR_FILENO);
}

static void caught_stderr(char *buf, size_t cap)
{
	ssize_t n;

	dup2(saved, STDERR_FILENO);
	n = pread(caught, buf, cap - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	close(saved);
	close(caught);
}

static size_t lines(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

static void a_storm_is_cut_and_counted(void **state)
{
	static char buf[65536];
	struct events ev;

	(void)state;
	log_init("lvscare", LOG_LVL_INFO);
	events_init(&ev, 1000);
	catch_stderr();
	for (int i = 0; i < 100; i++)
		event(&ev, LOG_LVL_INFO, "line %d", i);
	for (int i = 0; i < 1000; i++) /* below the level: neither told nor counted as left out */
		event(&ev, LOG_LVL_DEBUG, "line %d", i);
	ev.now += 2000;
	event(&ev, LOG_LVL_WARN, "later");
	event(&ev, LOG_LVL_WARN, "too soon");
	ev.now += 3600000;
	for (int i = 0; i < 100; i++)
		event(&ev, LOG_LVL_INFO, "again %d", i);
	caught_stderr(buf, sizeof(buf));
	assert_int_equal(lines(buf), 60 + 1 + 60);
	assert_non_null(strstr(buf, "lvscare: line 59\n"));
	assert_null(strstr(buf, "line 60"));
	assert_non_null(strstr(buf, "lvscare: later (40 earlier lines left out)\n"));
	assert_non_null(strstr(buf, "lvscare: again 0 (1 earlier lines left out)\n"));
	assert_int_equal(ev.total, 1202);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_storm_is_cut_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
