/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "discover/identity.h"
#include "err.h"
#include "events.h"
#include "fs.h"
#include "health/tls.h"
#include "pem.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/identity.XXXXXX";
static char own[64], ca[64];
static struct events ev;

static void put(const char *path, const char *text)
{
	struct err err = {0};

	assert_int_equal(fs_write_atomic(path, text, strlen(text), 0600, &err), 0);
}

static void it_comes_and_is_renewed(void **state)
{
	struct identity id = {.file = own, .ca_file = ca};
	struct tls_trust *before;
	struct err err = {0};

	(void)state;
	assert_false(identity_refresh(&id, &ev)); /* nothing there: nothing told */
	put(own, PEM_CERT PEM_KEY);
	assert_false(identity_refresh(&id, &ev));
	assert_null(id.tls);
	assert_int_equal(ev.total, 0);
	put(ca, PEM_CERT);
	assert_true(identity_refresh(&id, &ev));
	before = id.tls;
	assert_non_null(before);
	assert_false(identity_refresh(&id, &ev)); /* unchanged */
	put(own, PEM_KEY PEM_CERT);               /* whichever comes first */
	assert_true(identity_refresh(&id, &ev));
	assert_true(id.tls != before);
	assert_int_equal(ev.total, 0);
	identity_release(&id);
	assert_int_equal(fs_remove_tree(own, &err), 0);
	assert_int_equal(fs_remove_tree(ca, &err), 0);
}

static void what_cannot_be_read_changes_nothing(void **state)
{
	static const char *const bad[] = {"", "junk", PEM_CERT, PEM_KEY, PEM_CERT PEM_OTHER_KEY};
	struct identity id = {.file = own, .ca_file = ca};
	struct tls_trust *good;

	(void)state;
	put(ca, PEM_CERT);
	put(own, PEM_CERT PEM_KEY);
	assert_true(identity_refresh(&id, &ev));
	good = id.tls;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unsigned told = ev.total;

		put(own, bad[i]);
		assert_false(identity_refresh(&id, &ev));
		assert_int_equal(ev.total, told + 1);
		assert_false(identity_refresh(&id, &ev)); /* told once */
		assert_int_equal(ev.total, told + 1);
		assert_ptr_equal(id.tls, good);
	}
	put(own, PEM_CERT PEM_KEY);
	put(ca, "junk");
	assert_false(identity_refresh(&id, &ev));
	assert_ptr_equal(id.tls, good);
	unlink(own); /* the one that was there still counts */
	assert_false(identity_refresh(&id, &ev));
	assert_ptr_equal(id.tls, good);
	identity_release(&id);
}

static void none_is_wanted(void **state)
{
	struct identity id = {.ca_file = ca};

	(void)state;
	assert_false(identity_refresh(&id, &ev));
	assert_null(id.tls);
	identity_release(&id);
}

static int begin(void **state)
{
	struct err err = {0};

	(void)state;
	log_init("test", LOG_LVL_ERROR);
	events_init(&ev, 0);
	if (!mkdtemp(dir) || tls_init(&err) < 0)
		return -1;
	snprintf(own, sizeof(own), "%s/client.pem", dir);
	snprintf(ca, sizeof(ca), "%s/ca.crt", dir);
	return 0;
}

static int end(void **state)
{
	struct err err = {0};

	(void)state;
	return fs_remove_tree(dir, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_comes_and_is_renewed),
	    cmocka_unit_test(what_cannot_be_read_changes_nothing),
	    cmocka_unit_test(none_is_wanted),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
