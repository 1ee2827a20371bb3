/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* Certificates that ssh-keygen makes, and the same with one bit changed. */
#include "err.h"
#include "fs.h"
#include "hostcert.h"
#include "knownhosts.h"
#include "mem.h"
#include "proc.h"
#include "sshkey.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define NOW 1700000000 /* 2023-11-14 */

static char dir[] = "/tmp/hostcert.XXXXXX";

static int shell(const char *text)
{
	const char *const argv[] = {"sh", "-ec", text, NULL};
	const struct proc_opts opts = {.dir = dir};
	auto_strbuf out = {0};
	struct err err = {0};

	if (proc_check(argv, &opts, &out, &err) == 0)
		return 0;
	print_message("%s\n", err.msg);
	return -1;
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir)
	           ? shell("for t in ed25519 ecdsa rsa; do ssh-keygen -q -t $t -N '' -f ca_$t; "
	                   "ssh-keygen -q -t $t -N '' -f key_$t; done")
	           : -1;
}

static int teardown(void **state)
{
	struct err ignored = {0};

	(void)state;
	return fs_remove_tree(dir, &ignored);
}

/* A public key or certificate of the directory, as it comes over the wire. */
static void wire(const char *name, struct strbuf *out)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	struct sshkey k;
	struct err err = {0};

	assert_int_equal(sshkey_read(path, &k, &err), 0);
	strbuf_add(out, k.public.buf, k.public.len);
	sshkey_release(&k);
}

struct made {
	struct strbuf cert, key;
	struct strlist authorities;
};

static void make(struct made *m, const char *type, const char *ca, const char *words)
{
	auto_free char *command = xasprintf("ssh-keygen -q -s ca_%s -I id %s key_%s.pub", ca, words,
	                                    type);
	auto_free char *cert = xasprintf("key_%s-cert.pub", type);
	auto_free char *key = xasprintf("key_%s.pub", type);
	auto_free char *ca_file = xasprintf("ca_%s.pub", ca);
	auto_strbuf authority = {0};

	*m = (struct made){0};
	assert_int_equal(shell(command), 0);
	wire(cert, &m->cert);
	wire(key, &m->key);
	wire(ca_file, &authority);
	auto_free char *b64 = base64_encode(authority.buf, authority.len);

	strlist_add(&m->authorities, b64);
}

static void drop(struct made *m)
{
	strbuf_release(&m->cert);
	strbuf_release(&m->key);
	strlist_release(&m->authorities);
}

static int judge(const struct made *m, const char *name, struct err *err)
{
	const struct hostkey key = {m->key.buf, m->key.len};

	return hostcert_check(m->cert.buf, m->cert.len, &key, name, &m->authorities, NOW, err);
}

static void good_ones(void **state)
{
	static const char *const types[] = {"ed25519", "ecdsa", "rsa"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		for (size_t k = 0; k < ARRAY_SIZE(types); k++) {
			struct err err = {0};
			struct made m;

			make(&m, types[i], types[k], "-h -n a,10.0.0.1 -V 20230101:20240101");
			assert_int_equal(judge(&m, "10.0.0.1", &err), 0);
			assert_int_equal(judge(&m, "A", &err), 0);
			assert_int_equal(judge(&m, "b", &err), -1);
			drop(&m);
		}
}

static void reasons(void **state)
{
	static const struct {
		const char *words, *reason;
	} cases[] = {
	    {"-h -n b -V always:forever", "does not name a"},
	    {"-h -n 'a*' -V always:forever", "does not name a"}, /* as ssh: no patterns */
	    {"-h -n a -V 20200101:20210101", "expired"},
	    {"-h -n a -V 20300101:20310101", "not valid yet"},
	    {"-n a -V always:forever", "for a user"},
	    {"-h -n a -V always:forever -O critical:x=y", "critical options"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = {0};
		struct made m;

		make(&m, "ed25519", "ed25519", cases[i].words);
		assert_int_equal(judge(&m, "a", &err), -1);
		assert_non_null(strstr(err.msg, cases[i].reason));
		drop(&m);
	}
}

static void other_keys(void **state)
{
	struct strbuf other = {0};
	struct err err = {0};
	struct made m;

	(void)state;
	make(&m, "ed25519", "ed25519", "-h -V always:forever");
	assert_int_equal(judge(&m, "whatever", &err), 0); /* as ssh: no names, all names */
	wire("ca_ed25519.pub", &other);
	const struct hostkey key = {other.buf, other.len};

	assert_int_equal(
	    hostcert_check(m.cert.buf, m.cert.len, &key, "a", &m.authorities, NOW, &err), -1);
	assert_non_null(strstr(err.msg, "another key"));
	strlist_release(&m.authorities);
	assert_int_equal(judge(&m, "a", &err), -1);
	assert_non_null(strstr(err.msg, "no @cert-authority"));
	strbuf_release(&other);
	drop(&m);
}

/* Whatever bit is changed, and wherever it is cut: never good. */
static void damaged(void **state)
{
	static const char *const types[] = {"ed25519", "ecdsa", "rsa"};

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		struct made m;

		make(&m, types[t], types[t], "-h -n a -V always:forever");
		for (size_t i = 0; i < m.cert.len; i++) {
			struct err err = {0};

			m.cert.buf[i] ^= (char)(1 << i % 8);
			assert_int_equal(judge(&m, "a", &err), -1);
			m.cert.buf[i] ^= (char)(1 << i % 8);
		}
		while (m.cert.len) {
			struct err err = {0};

			m.cert.len--;
			assert_int_equal(judge(&m, "a", &err), -1);
		}
		drop(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_ones),
	    cmocka_unit_test(reasons),
	    cmocka_unit_test(other_keys),
	    cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
