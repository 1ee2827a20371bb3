/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "proc.h"
#include "sshkey.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static char dir[] = "/tmp/sshkey.XXXXXX";

static int setup(void **state)
{
	const char *const argv[] = {
	    "sh", "-ec",
	    "for t in ed25519 ecdsa rsa; do ssh-keygen -q -t $t -N '' -f plain_$t; "
	    "ssh-keygen -q -t $t -N secret -f locked_$t; done; "
	    "ssh-keygen -q -t rsa -m PEM -N '' -f plain_pem; ssh-keygen -q -t rsa -m PEM -N secret "
	    "-f "
	    "locked_pem; cp locked_pem locked_alone; echo nonsense > none; cp plain_rsa.pub "
	    "only.pub",
	    NULL};
	const struct proc_opts opts = {.dir = dir};
	auto_strbuf out = {0};
	struct err err = {0};

	(void)state;
	return mkdtemp(dir) ? proc_check(argv, &opts, &out, &err) : -1;
}

static int teardown(void **state)
{
	struct err ignored = {0};

	(void)state;
	return fs_remove_tree(dir, &ignored);
}

static int read_key(const char *name, struct sshkey *k)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	struct err err = {0};

	return sshkey_read(path, k, &err);
}

static void forms(void **state)
{
	static const struct {
		const char *name;
		bool private, encrypted, public;
	} cases[] = {
	    {"plain_ed25519", true, false, true}, {"locked_ed25519", true, true, true},
	    {"plain_ecdsa", true, false, true},   {"locked_ecdsa", true, true, true},
	    {"plain_rsa", true, false, true},     {"locked_rsa", true, true, true},
	    {"plain_pem", true, false, true},     {"locked_pem", true, true, true},
	    {"locked_alone", true, true, false},  {"plain_rsa.pub", false, false, true},
	    {"only", false, false, true}, /* its other half is in an agent */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sshkey k;

		assert_int_equal(read_key(cases[i].name, &k), 0);
		assert_int_equal(k.private, cases[i].private);
		assert_int_equal(k.encrypted, cases[i].encrypted);
		assert_int_equal(k.public.len > 0, cases[i].public);
		sshkey_release(&k);
	}
}

static void no_keys(void **state)
{
	static const char *const names[] = {"none", "missing"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct sshkey k;

		assert_int_equal(read_key(names[i], &k), -1);
		sshkey_release(&k);
	}
}

/* The public half that the private file shows is the one in the file beside it. */
static void same_public_key(void **state)
{
	struct sshkey a, b;

	(void)state;
	assert_int_equal(read_key("locked_ed25519", &a), 0);
	assert_int_equal(read_key("locked_ed25519.pub", &b), 0);
	assert_int_equal(a.public.len, b.public.len);
	assert_memory_equal(a.public.buf, b.public.buf, a.public.len);
	sshkey_release(&a);
	sshkey_release(&b);
}

/* The dashes between the markers belong to one of them only. */
static void markers_that_overlap(void **state)
{
	static const char text[] =
	    "-----BEGIN OPENSSH PRIVATE KEY-----END OPENSSH PRIVATE KEY-----";
	struct sshkey k;
	struct err err = {0};

	(void)state;
	sshkey_parse(text, sizeof(text) - 1, &k, &err);
	assert_int_equal(k.public.len, 0);
	sshkey_release(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forms),
	    cmocka_unit_test(no_keys),
	    cmocka_unit_test(same_public_key),
	    cmocka_unit_test(markers_that_overlap),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
