/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* What a server shows before anything is encrypted: its lists, its certificate; and key files. */
#include "err.h"
#include "hostcert.h"
#include "knownhosts.h"
#include "sshkex.h"
#include "sshkey.h"
#include "strbuf.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_lists(const uint8_t *data, size_t size)
{
	struct kexinit k = {0};
	auto_strbuf out = {0};

	if (kexinit_parse(data, size, &k) == 1 && kexinit_clash(&k, &k, &out) && !out.len)
		abort();
	kexinit_release(&k);
}

/* Nobody's signature is in it: never good. */
static void as_certificate(const uint8_t *data, size_t size)
{
	struct hostcert c;
	struct err err = {0};
	auto_strlist authorities = {0};

	if (hostcert_parse(data, size, &c, &err) < 0)
		return;
	const struct hostkey key = {c.key.buf, c.key.len};
	char *ca = base64_encode(c.authority.buf ? c.authority.buf : "", c.authority.len);

	strlist_add(&authorities, ca);
	if (c.signed_len > size)
		abort();
	hostcert_check(data, size, &key, "a", &authorities, 1, &err);
	free(ca);
	hostcert_release(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sshkey k;
	struct err err = {0};

	as_lists(data, size);
	as_certificate(data, size);
	sshkey_parse((const char *)data, size, &k, &err);
	sshkey_release(&k);
	return 0;
}
