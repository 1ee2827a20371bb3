/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* ssh_config files. */
#include "err.h"
#include "sshconf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sshconf_query q = {.name = "10.0.0.1", .default_user = "root"};
	char *text = strndup((const char *)data, size);
	struct err err = {0};
	struct ssh_login login;
	/* a file that includes files of this machine would make the outcome depend on it */
	struct sshconf *c = strcasestr(text, "include") ? NULL
	                                                : sshconf_parse(text, "f", "/none", &err);

	if (c && sshconf_lookup(c, &q, &login, &err) == 0) {
		if (!login.hostname || !login.user || !login.port)
			abort();
		ssh_login_release(&login);
	}
	sshconf_free(c);
	free(text);
	return 0;
}
