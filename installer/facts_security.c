// SPDX-License-Identifier: Apache-2.0
#include "facts.h"
#include "mem.h"

#include <string.h>

void facts_security(json_t *out)
{
	auto_free char *enforce = facts_first_line("/sys/fs/selinux/enforce");
	auto_free char *apparmor = facts_first_line("/sys/module/apparmor/parameters/enabled");

	facts_string(out, "selinux",
	             *enforce == '1'   ? "enforcing"
	             : *enforce == '0' ? "permissive"
	                               : "");
	json_object_set_new(out, "apparmor", json_boolean(*apparmor == 'Y'));
}
