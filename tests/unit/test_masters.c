/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "addrs.h"
#include "discover/masters.h"
#include "err.h"
#include "events.h"
#include "fs.h"
#include "log.h"
#include "strbuf.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct masters m;
static char dir[] = "/tmp/masters.XXXXXX";
static char file[64], ca[64];

/* Addresses of 10.0.0.0/24 by their last parts: "1 2". */
static struct addrs some(const char *parts)
{
	struct addrs l = {.n = 0};

	for (const char *p = parts; *p; p++) {
		char text[16];
		struct addr a;

		if (*p == ' ')
			continue;
		snprintf(text, sizeof(text), "10.0.0.%c", *p);
		a = server(text);
		addrs_add(&l, &a);
	}
	return l;
}

static const char *shown(const struct addrs *l)
{
	static char text[128];

	text[0] = '\0';
	for (size_t i = 0; i < l->n; i++)
		sprintf(text + strlen(text), "%s%u", i ? " " : "", l->a[i].bytes[3]);
	return text;
}

/* Who is wanted: "1 2 | 3", those behind the bar only once they have answered. */
static const char *wanted(void)
{
	static char text[128];
	struct addrs want, sure;
	size_t n;

	masters_wanted(&m, &want, &n);
	sure = want;
	sure.n = n;
	strcpy(text, shown(&sure));
	if (n == want.n)
		return text;
	want.n -= n;
	memmove(want.a, want.a + n, want.n * sizeof(want.a[0]));
	strcat(text, " | ");
	return strcat(text, shown(&want));
}

static void start(const char *seeds)
{
	struct addr vs = server("169.254.97.2");
	struct addrs l = some(seeds);

	masters_init(&m, &vs, l.a, l.n);
}

/* The cluster says this list. */
static bool learn(const char *parts)
{
	struct addrs l = some(parts);

	return masters_learn(&m, &l);
}

static bool reach(const char *part)
{
	struct addrs l = some(part);

	return masters_reached(&m, &l.a[0]);
}

/* And its first server is up. */
static void take(const char *parts)
{
	char first[2] = {parts[0], 0};

	assert_true(learn(parts));
	assert_true(reach(first));
}

static void seeds_until_the_cluster_speaks(void **state)
{
	(void)state;
	start("1 2");
	assert_string_equal(wanted(), "1 2");
	assert_true(learn("3 1"));
	assert_string_equal(wanted(), "1 2 | 3");
	assert_true(reach("1"));
	assert_string_equal(wanted(), "1 3"); /* 2 left, 3 came */
	assert_false(learn("1 3"));           /* no news */
	take("1");
	assert_string_equal(wanted(), "1");
	assert_string_equal(shown(&m.former), "3");
	take("3 4");
	assert_string_equal(wanted(), "3 4");
	assert_string_equal(shown(&m.former), "1");
}

/* Addresses of another network, as the API servers know themselves. */
static void a_list_that_cannot_be_reached_pushes_nobody_out(void **state)
{
	(void)state;
	start("1 2");
	assert_true(learn("7 8"));
	assert_false(learn("7 8"));
	assert_false(reach("1"));
	assert_string_equal(wanted(), "1 2 | 7 8");
	assert_true(learn("8 9"));
	assert_string_equal(wanted(), "1 2 | 8 9");
	assert_false(m.current);
	assert_true(reach("9"));
	assert_string_equal(wanted(), "8 9");
	assert_true(learn("5")); /* nor does a later one */
	assert_string_equal(wanted(), "8 9 | 5");
	assert_true(learn("8 9")); /* taken back */
	assert_string_equal(wanted(), "8 9");
}

static void never_shrunk_to_nothing(void **state)
{
	struct addrs l = {.n = 0};
	struct addr vs6 = server("fd97::2"), a6 = server("fd00::1");

	(void)state;
	start("1 2");
	assert_false(learn(""));
	assert_string_equal(wanted(), "1 2");
	take("1 2 3");
	assert_false(learn(""));
	assert_string_equal(wanted(), "1 2 3");
	addrs_add(&l, &m.vs); /* the virtual server itself and other families are no masters */
	addrs_add(&l, &a6);
	assert_false(masters_learn(&m, &l));
	assert_string_equal(wanted(), "1 2 3");
	masters_init(&m, &vs6, &a6, 1);
	assert_true(masters_learn(&m, &l));
	assert_int_equal(m.listed.n, 1);
}

static void with_nobody_up_all_count_again(void **state)
{
	(void)state;
	start("1 2");
	take("2 3");
	take("3");
	assert_true(learn("4"));
	masters_doubt(&m);
	assert_string_equal(wanted(), "3 | 4 1 2");
	take("3"); /* said anew: news although it is the same */
	assert_string_equal(wanted(), "3");
	masters_doubt(&m);
	take("1 2");
	assert_string_equal(wanted(), "1 2");
}

static void a_list_has_an_end(void **state)
{
	struct addrs l = {.n = 0};
	struct addr a = server("10.0.1.0");

	(void)state;
	for (; a.bytes[3] < MASTERS_MAX; a.bytes[3]++)
		assert_true(addrs_add(&l, &a));
	assert_false(addrs_add(&l, &a));
	a.bytes[3] = 3;
	assert_true(addrs_add(&l, &a)); /* is there */
	start("1 2");
	masters_learn(&m, &l);
	masters_reached(&m, &a);
	masters_doubt(&m);
	assert_int_equal(strlen(wanted()) > 0, 1);
	for (int i = 0; i < 3; i++) { /* more former ones than fit */
		take(i % 2 ? "1" : "2");
		masters_learn(&m, &l);
		masters_reached(&m, &a);
	}
	assert_true(m.former.n <= MASTERS_MAX);
}

static struct marks marks(uint64_t a, uint64_t b)
{
	return (struct marks){.v = {a, b}, .n = !!a + !!b};
}

static int load(struct marks k, struct err *err)
{
	*err = (struct err){0};
	start("1 2");
	return masters_load(&m, file, &k, err);
}

static void remembered(void **state)
{
	struct err err = {0};
	struct stat first, second;
	struct addr other = server("169.254.97.3");
	struct marks k = marks(7, 9);
	struct addrs untried;

	(void)state;
	assert_int_equal(load(k, &err), 0); /* no file */
	start("1 2");
	take("3 4 5");
	take("4 5");
	assert_true(learn("6")); /* not reached: not remembered */
	assert_int_equal(masters_save(&m, file, &k, &err), 0);
	assert_int_equal(stat(file, &first), 0);
	assert_int_equal(masters_save(&m, file, &k, &err), 0); /* the same: not written */
	assert_int_equal(stat(file, &second), 0);
	assert_int_equal(first.st_ino, second.st_ino);
	assert_int_equal(load(k, &err), 1);
	assert_string_equal(wanted(), "4 5 | 1 2 3");
	assert_false(m.current);
	assert_int_equal(load(marks(8, 9), &err), 1); /* a certificate was added, one removed */
	assert_string_equal(wanted(), "4 5 | 1 2 3");
	masters_untried(&m, &untried);
	assert_string_equal(shown(&untried), "4 5 1 2 3");
	assert_int_equal(load(marks(8, 0), &err), 0); /* perhaps another cluster's: only tried */
	assert_string_equal(wanted(), "1 2 | 4 5 3");
	masters_untried(&m, &untried);
	assert_string_equal(shown(&untried), "1 2");
	assert_int_equal(load(marks(0, 0), &err), 0); /* nothing to tell them from impostors by */
	assert_string_equal(wanted(), "1 2");
	m.vs = other;
	assert_int_equal(masters_load(&m, file, &k, &err), 0);
	assert_int_equal(masters_forget(&other, file, &err), 0);
	assert_true(fs_exists(file));
	start("1");
	assert_int_equal(masters_forget(&m.vs, file, &err), 0);
	assert_false(fs_exists(file));
	assert_int_equal(masters_forget(&m.vs, file, &err), 0);
}

static void a_file_for_each_virtual_server(void **state)
{
	struct addr v4 = server("169.254.97.2"), v6 = server("fd97::2");
	char path[MASTERS_PATH_MAX];

	(void)state;
	masters_path(path, &v4);
	assert_string_equal(path, "/var/lib/lvscare/masters-169.254.97.2-6443");
	masters_path(path, &v6);
	assert_string_equal(path, "/var/lib/lvscare/masters-fd97..2-6443");
}

static void the_kernel_has_others(void **state)
{
	struct addr vs = m.vs, other = server("10.0.0.9"), v6 = server("fd09::1");

	(void)state;
	start("1");
	masters_found(&m, &other);
	masters_found(&m, &v6);
	masters_found(&m, &vs);
	masters_found(&m, &m.seeds.a[0]);
	assert_int_equal(m.former.n, 1);
	assert_string_equal(wanted(), "1 | 9");
}

static void odd_files(void **state)
{
	static const struct {
		const char *text, *msg;
	} cases[] = {
	    {"what\n", "line 1 is not one that lvscare writes; not used"},
	    {"# x\n\nmaster\n", "line 3 is not one that lvscare writes; not used"},
	    {"vs 169.254.97.2:6443\nmaster 10.0.0.1\n",
	     "line 2 is not one that lvscare writes; not used"},
	    {"master api:6443\n", "line 1 is not one that lvscare writes; not used"},
	    {"ca xyz\n", "line 1 is not one that lvscare writes; not used"},
	    {"vs 169.254.97.2:6443\nca 7\nmaster [fd00::1]:6443\n",
	     "a master that cannot be one; not used"},
	    {"vs 169.254.97.2:6443\nca 7\nmaster 169.254.97.2:1\n",
	     "a master that cannot be one; not used"},
	    {"vs 169.254.97.2:6443\nca 7\n", NULL},
	    {"", NULL},
	};
	char want[200];
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err = (struct err){0};
		assert_int_equal(
		    fs_write_atomic(file, cases[i].text, strlen(cases[i].text), 0600, &err), 0);
		assert_int_equal(load(marks(7, 0), &err), cases[i].msg ? -1 : 0);
		snprintf(want, sizeof(want), "%s: %s", file, cases[i].msg ? cases[i].msg : "");
		if (cases[i].msg)
			assert_string_equal(err.msg, want);
		assert_string_equal(wanted(), "1 2");
	}
	unlink(file);
}

#define CERT(x) "-----BEGIN CERTIFICATE-----\n" x "\n-----END CERTIFICATE-----\n"

static struct marks read_marks(const char *text)
{
	struct err err = {0};
	struct marks k;

	assert_int_equal(fs_write_atomic(ca, text, strlen(text), 0600, &err), 0);
	marks_read(&k, ca);
	return k;
}

static void a_mark_for_each_certificate(void **state)
{
	struct marks one, two, k;

	(void)state;
	marks_read(&k, ca);
	assert_int_equal(k.n, 0); /* no file */
	one = read_marks(CERT("one"));
	two = read_marks("two:\n" CERT("two"));
	k = read_marks(CERT("one") "# and\n" CERT("two"));
	assert_true(one.n == 1 && two.n == 1 && k.n == 2);
	assert_true(k.v[0] == one.v[0] && k.v[1] == two.v[0] && one.v[0] != two.v[0]);
	assert_int_equal(read_marks("junk").n, 0);
	assert_int_equal(read_marks("-----BEGIN").n, 0);
	unlink(ca);
}

/* What run-once writes and the daemon begins with. */
static void a_start(void **state)
{
	struct events ev;
	struct err err = {0};
	struct marks k;

	(void)state;
	events_init(&ev, 0);
	start("1");
	masters_start(&m, file, ca, &ev);
	assert_string_equal(wanted(), "1");
	take("3");
	k = read_marks(CERT("one"));
	assert_int_equal(masters_save(&m, file, &k, &err), 0);
	start("1");
	masters_start(&m, file, ca, &ev);
	assert_string_equal(wanted(), "3 | 1");
	read_marks(CERT("other"));
	start("1");
	masters_start(&m, file, ca, &ev);
	assert_string_equal(wanted(), "1 | 3");
	start("1");
	masters_start(&m, NULL, ca, &ev);
	assert_string_equal(wanted(), "1");
	unlink(file);
	unlink(ca);
}

static int make_dir(void **state)
{
	(void)state;
	log_init("test", LOG_LVL_ERROR);
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/new/masters", dir); /* its folder is made */
	snprintf(ca, sizeof(ca), "%s/ca.crt", dir);
	return 0;
}

static int remove_dir(void **state)
{
	struct err err = {0};

	(void)state;
	return fs_remove_tree(dir, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(seeds_until_the_cluster_speaks),
	    cmocka_unit_test(a_list_that_cannot_be_reached_pushes_nobody_out),
	    cmocka_unit_test(never_shrunk_to_nothing),
	    cmocka_unit_test(with_nobody_up_all_count_again),
	    cmocka_unit_test(a_list_has_an_end),
	    cmocka_unit_test(remembered),
	    cmocka_unit_test(the_kernel_has_others),
	    cmocka_unit_test(a_file_for_each_virtual_server),
	    cmocka_unit_test(odd_files),
	    cmocka_unit_test(a_mark_for_each_certificate),
	    cmocka_unit_test(a_start),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
