/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "events.h"
#include "kernel/sysctl.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/test_sysctl.XXXXXX";

static char *path(const char *name)
{
	static char buf[128];

	snprintf(buf, sizeof(buf), "%s/%s", dir, name);
	return buf;
}

static void put(const char *name, const char *value)
{
	FILE *f = fopen(path(name), "w");

	assert_non_null(f);
	fputs(value, f);
	fclose(f);
}

static void is(const char *name, const char *value)
{
	char buf[16] = "";
	FILE *f = fopen(path(name), "r");

	assert_non_null(f);
	assert_non_null(fgets(buf, sizeof(buf), f));
	fclose(f);
	assert_string_equal(buf, value);
}

static void switches_are_turned_on(void **state)
{
	struct sysctl s = {.dir = dir};
	struct events ev;

	(void)state;
	events_init(&ev, 0);
	put("expire_nodest_conn", "0\n");
	put("conntrack", "1\n");
	sysctl_apply(&s, &ev);
	is("expire_nodest_conn", "1\n");
	assert_int_equal(ev.total, 1); /* the other one was on */
	sysctl_apply(&s, &ev);
	assert_int_equal(ev.total, 1);
	put("conntrack", "0\n");
	sysctl_apply(&s, &ev);
	is("conntrack", "1\n");
	assert_int_equal(ev.total, 2);
}

static void older_kernels_need_it_for_longer(void **state)
{
	(void)state;
	assert_int_equal(sysctl_hold_ms("6.1.0-56-cloud-amd64"), SYSCTL_HOLD_MS);
	assert_int_equal(sysctl_hold_ms("5.9.0"), SYSCTL_HOLD_MS);
	assert_int_equal(sysctl_hold_ms("5.4.0-42-generic"), SYSCTL_LONG_HOLD_MS);
	assert_int_equal(sysctl_hold_ms("4.18.0-553.el8"), SYSCTL_LONG_HOLD_MS);
	assert_int_equal(sysctl_hold_ms(""), SYSCTL_LONG_HOLD_MS);
}

static void what_cannot_be_is_told_once(void **state)
{
	struct sysctl s = {.dir = dir};
	struct events ev;

	(void)state;
	events_init(&ev, 0);
	put("expire_nodest_conn", "1\n");
	unlink(path("conntrack")); /* a kernel without CONFIG_IP_VS_NFCT */
	for (int i = 0; i < 5; i++)
		sysctl_apply(&s, &ev);
	assert_int_equal(ev.total, 1);
	assert_true(s.failure_logged);
	put("conntrack", "0\n");
	sysctl_apply(&s, &ev);
	assert_false(s.failure_logged);
	assert_int_equal(ev.total, 2);
}

/* Connections outlive a flush in quiet times, and are reset when a server is removed. */
static void quiet_times(void **state)
{
	struct sysctl s = {.dir = dir, .may_be_quiet = true, .hold_ms = SYSCTL_HOLD_MS};
	struct events ev;

	(void)state;
	events_init(&ev, 100);
	put("conntrack", "1\n");
	put("expire_nodest_conn", "1\n");
	sysctl_apply(&s, &ev);
	is("expire_nodest_conn", "1\n");
	ev.now += SYSCTL_START_MS;
	sysctl_apply(&s, &ev);
	is("expire_nodest_conn", "0\n");
	ev.now += 1000;
	sysctl_apply(&s, &ev);
	is("expire_nodest_conn", "0\n");
	sysctl_expect_removal(&s, &ev);
	is("expire_nodest_conn", "1\n");
	ev.now += SYSCTL_HOLD_MS - 1;
	sysctl_apply(&s, &ev);
	is("expire_nodest_conn", "1\n");
	ev.now += 1;
	sysctl_apply(&s, &ev);
	is("expire_nodest_conn", "0\n");
	put("expire_nodest_conn", "1\n"); /* somebody else needs it */
	sysctl_apply(&s, &ev);
	is("expire_nodest_conn", "1\n");
	ev.now += SYSCTL_HOLD_MS;
	sysctl_apply(&s, &ev);
	is("expire_nodest_conn", "0\n");
	s.may_be_quiet = false; /* services of others are there now */
	sysctl_apply(&s, &ev);
	is("expire_nodest_conn", "1\n");
	s.may_be_quiet = true;
	sysctl_apply(&s, &ev);
	is("expire_nodest_conn", "0\n");
	sysctl_end(&s);
	is("expire_nodest_conn", "1\n");
	put("expire_nodest_conn", "0\n"); /* left so by a daemon that was killed */
	s = (struct sysctl){.dir = dir, .may_be_quiet = true};
	sysctl_apply(&s, &ev);
	is("expire_nodest_conn", "1\n");
}

static int make_dir(void **state)
{
	(void)state;
	log_init("lvscare", LOG_LVL_ERROR);
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path("conntrack"));
	unlink(path("expire_nodest_conn"));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(switches_are_turned_on),
	    cmocka_unit_test(quiet_times),
	    cmocka_unit_test(older_kernels_need_it_for_longer),
	    cmocka_unit_test(what_cannot_be_is_told_once),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
