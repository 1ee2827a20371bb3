/* links: common */
// SPDX-License-Identifier: Apache-2.0
#include "digest.h"
#include "err.h"
#include "unit.h"

#include <string.h>

/* FIPS 180-4 test vector */
#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void known_answer(void **state)
{
	struct digest d, e;

	(void)state;
	digest_data("abc", 3, &d);
	assert_string_equal(d.str, ABC);
	assert_true(digest_parse(ABC, &e));
	assert_true(digest_eq(&d, &e));
	assert_string_equal(digest_hex(&d), &ABC[7]);
	memset(&e, 0, sizeof(e));
	assert_false(digest_eq(&e, &e)); /* none is equal to none */
}

static void only_canonical_digests(void **state)
{
	struct digest d = {0};
	char s[] = ABC;

	(void)state;
	assert_false(digest_parse(NULL, &d));
	assert_false(digest_parse("", &d));
	assert_false(digest_parse(ABC "0", &d));
	assert_false(digest_parse("sha512:ba7816bf", &d));
	s[10] = 'A';
	assert_false(digest_parse(s, &d));
	s[10] = '/';
	assert_false(digest_parse(s, &d));
	s[10] = '\0';
	assert_false(digest_parse(s, &d));
}

static void files(void **state)
{
	struct err err = {0};
	struct digest d;
	uint64_t size = 1;

	(void)state;
	assert_int_equal(digest_file("/dev/null", &d, &size, &err), 0);
	assert_int_equal(size, 0);
	assert_int_equal(digest_file("/no/such", &d, NULL, &err), -1);
	assert_string_equal(err.msg, "open /no/such: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_answer),
	    cmocka_unit_test(only_canonical_digests),
	    cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
