/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "sshkex.h"
#include "strbuf.h"
#include "unit.h"

#include <string.h>

static void add_u32(struct strbuf *sb, size_t n)
{
	const char b[4] = {(char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n};

	strbuf_add(sb, b, 4);
}

/* A server's first bytes with these lists, as sshd sends them. */
static void stream(struct strbuf *out, const char *const lists[KEX_LISTS])
{
	auto_strbuf payload = {0};

	strbuf_addstr(out, "a line before\r\nSSH-2.0-Test_1\r\n");
	strbuf_addch(&payload, 20);
	strbuf_add(&payload, "0123456789abcdef", 16);
	for (int i = 0; i < KEX_LISTS; i++) {
		add_u32(&payload, strlen(lists[i]));
		strbuf_addstr(&payload, lists[i]);
	}
	add_u32(&payload, 0);
	add_u32(&payload, 0);
	strbuf_add(&payload, "\0\0\0\0\0", 5);
	add_u32(out, payload.len + 1 + 4);
	strbuf_addch(out, 4);
	strbuf_add(out, payload.buf, payload.len);
	strbuf_add(out, "pad.", 4);
}

static const char *const server_lists[KEX_LISTS] = {
    "k1,kex-strict-s-v00@openssh.com", "h1,h2", "c1", "c1", "m1", "m1", "none", "none"};

static void parsing(void **state)
{
	auto_strbuf s = {0};
	struct kexinit k = {0};

	(void)state;
	stream(&s, server_lists);
	assert_int_equal(kexinit_parse(s.buf, s.len, &k), 1);
	assert_string_equal(k.list[KEX_METHOD], server_lists[0]);
	assert_string_equal(k.list[KEX_COMP_SC], "none");
	kexinit_release(&k);
	for (size_t i = 0; i < s.len; i++)
		assert_int_equal(kexinit_parse(s.buf, i, &k), 0);
	assert_int_equal(kexinit_parse("SSH-2.0-x\n\xff\xff\xff\xff zzzzzz", 20, &k), -1);
}

/* The sentence for a client with these lists, or "". */
static const char *clash(const char *const own_lists[KEX_LISTS], struct strbuf *out)
{
	auto_strbuf a = {0}, b = {0};
	struct kexinit server = {0}, own = {0};

	stream(&a, server_lists);
	stream(&b, own_lists);
	assert_int_equal(kexinit_parse(a.buf, a.len, &server), 1);
	assert_int_equal(kexinit_parse(b.buf, b.len, &own), 1);
	strbuf_reset(out);
	kexinit_clash(&server, &own, out);
	kexinit_release(&server);
	kexinit_release(&own);
	return strbuf_str(out);
}

static void clashes(void **state)
{
	const char *own[KEX_LISTS] = {
	    "k2,ext-info-c,k3", "h2", "c1", "c1", "m1", "m1", "none", "none"};
	auto_strbuf out = {0};

	(void)state;
	assert_string_equal(clash(own, &out),
	                    "no key exchange algorithm in common: the server takes "
	                    "k1; this program takes k2,k3");
	own[KEX_METHOD] = "k2,k1";
	assert_string_equal(clash(own, &out), "");
	own[KEX_HOSTKEY] = "h";
	assert_string_equal(clash(own, &out), "no host key algorithm in common: the server takes "
	                                      "h1,h2; this program takes h");
	own[KEX_HOSTKEY] = "h1";
	own[KEX_CIPHER_SC] = "c";
	assert_string_equal(
	    clash(own, &out),
	    "no cipher algorithm in common: the server takes c1; this program takes c");
	own[KEX_CIPHER_SC] = "c1";
	own[KEX_MAC_CS] = "";
	assert_string_equal(clash(own, &out),
	                    "no MAC algorithm in common: the server takes m1; this "
	                    "program takes nothing");
	own[KEX_MAC_CS] = "m1";
	own[KEX_COMP_CS] = "zlib";
	assert_string_equal(clash(own, &out),
	                    "no compression algorithm in common: the server takes "
	                    "none; this program takes zlib");
}

/* A cipher with a MAC of its own needs none. */
static void aead(void **state)
{
	static const char *const both[KEX_LISTS] = {"k",  "h",  "a-gcm@x", "a-gcm@x",
	                                            "m1", "m1", "none",    "none"};
	static const char *const own_lists[KEX_LISTS] = {"k",  "h",  "a-gcm@x", "a-gcm@x",
	                                                 "m2", "m2", "none",    "none"};
	auto_strbuf a = {0}, b = {0}, out = {0};
	struct kexinit server = {0}, own = {0};

	(void)state;
	stream(&a, both);
	stream(&b, own_lists);
	assert_int_equal(kexinit_parse(a.buf, a.len, &server), 1);
	assert_int_equal(kexinit_parse(b.buf, b.len, &own), 1);
	assert_false(kexinit_clash(&server, &own, &out));
	kexinit_release(&server);
	kexinit_release(&own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parsing),
	    cmocka_unit_test(clashes),
	    cmocka_unit_test(aead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
