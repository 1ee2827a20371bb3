/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "mem.h"
#include "tar.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static void round_trip(void **state)
{
	unsigned char block[TAR_BLOCK];
	struct tar_entry e;
	struct err err = {0};

	(void)state;
	tar_header(block, "blobs/sha256/00", 5000000000ULL);
	assert_int_equal(tar_parse(block, &e, &err), 0);
	assert_int_equal(e.kind, TAR_FILE);
	assert_string_equal(e.name, "blobs/sha256/00");
	assert_int_equal(e.size, 5000000000ULL);
}

static void every_flipped_bit_of_a_header_is_noticed(void **state)
{
	unsigned char good[TAR_BLOCK], block[TAR_BLOCK];
	struct tar_entry e;

	(void)state;
	tar_header(good, "index.json", 1234);
	for (size_t bit = 0; bit < TAR_BLOCK * 8; bit++) {
		struct err err = {0};

		memcpy(block, good, sizeof(block));
		block[bit / 8] ^= (unsigned char)(1u << (bit % 8));
		assert_int_equal(tar_parse(block, &e, &err), -1);
		assert_int_equal(err.code, EXIT_BAD_BUNDLE);
	}
}

static void names_of_a_hundred_bytes(void **state)
{
	unsigned char block[TAR_BLOCK];
	struct tar_entry e;
	struct err err = {0};
	char name[101];

	(void)state;
	memset(name, 'a', 100);
	name[100] = '\0';
	tar_header(block, name, 0);
	assert_int_equal(tar_parse(block, &e, &err), 0);
	assert_string_equal(e.name, name);
}

/* A header with a correct sum in which one byte was changed. */
static int parse_changed(size_t at, unsigned char value, struct err *err)
{
	unsigned char block[TAR_BLOCK];
	struct tar_entry e;
	unsigned sum = 0;
	char text[8];

	tar_header(block, "name", 10);
	block[at] = value;
	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += block[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(block + 148, text, 7);
	return tar_parse(block, &e, err);
}

static void refused(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(parse_changed(156, '2', &err), -1); /* symbolic link */
	assert_string_equal(err.msg, "name: neither a file nor a directory");
	assert_int_equal(parse_changed(156, 'x', &err), -1);  /* extended header */
	assert_int_equal(parse_changed(124, 0x80, &err), -1); /* base-256 size */
	assert_string_equal(err.msg, "name: bad size");
	assert_int_equal(parse_changed(1, 0x1b, &err), -1);
	assert_string_equal(err.msg, "a member's name is not plain text");
	assert_int_equal(parse_changed(345, 'p', &err), -1); /* prefix */
	assert_int_equal(parse_changed(156, '5', &err), -1); /* a directory with data */
	assert_int_equal(parse_changed(0, 'N', &err), 0);
}

static void padding(void **state)
{
	(void)state;
	assert_int_equal(tar_padding(0), 0);
	assert_int_equal(tar_padding(1), 511);
	assert_int_equal(tar_padding(512), 0);
	assert_int_equal(tar_padding((1ULL << 32) + 1), 511);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_trip),
	    cmocka_unit_test(every_flipped_bit_of_a_header_is_noticed),
	    cmocka_unit_test(names_of_a_hundred_bytes),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
