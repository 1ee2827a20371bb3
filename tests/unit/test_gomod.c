/* links: packager */
// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include "err.h"
#include "gomod.h"
#include "mem.h"
#include "part.h"

#include <stdlib.h>
#include <string.h>

static const char upstream[] = "module k8s.io/kubernetes\n"
			       "\n"
			       "go 1.26.0\n"
			       "\n"
			       "toolchain go1.26.5\n"
			       "godebug default=go1.26\n"
			       "godebug (\n"
			       "\tx=1\n"
			       ")\n"
			       "require (\n"
			       "\tk8s.io/api v0.0.0\n"
			       "\tk8s.io/utils v0.0.0-2026\n"
			       "\tk8s.io/client-go v0.0.0 // indirect\n"
			       ")\n";

static void writes_go_mod(void **state)
{
	char *modules[] = {(char *)(uintptr_t) "k8s.io/kubernetes v1.37.2",
	                   (char *)(uintptr_t) "a/b v1.0.0", (char *)(uintptr_t) "c/d v1.0.0"};
	char name[] = "kube";
	struct part p = {.name = name, .staging = true};
	auto_strbuf out = {0};
	struct err err = {0};

	(void)state;
	p.modules = (struct strlist){modules, 3};
	conf_set(&p.conf, "copy", "yes");
	conf_set(&p.conf, "copy", "c/d");
	assert_int_equal(gomod_write(&p, upstream, &out, &err), 0);
	assert_string_equal(out.buf, "module kubecask.local/kube\n\n"
	                             "go 1.26.0\n"
	                             "godebug default=go1.26\n"
	                             "godebug (\nx=1\n)\n\n"
	                             "require k8s.io/kubernetes v1.37.2\n"
	                             "require a/b v1.0.0\n"
	                             "require c/d v1.0.0\n\n"
	                             "replace k8s.io/kubernetes => ../module\n\n"
	                             "replace c/d => ../module-2\n\n"
	                             "replace k8s.io/api => k8s.io/api v0.37.2\n"
	                             "replace k8s.io/client-go => k8s.io/client-go v0.37.2\n");
	conf_release(&p.conf);
}

static void values_of_a_module(void **state)
{
	char *modules[] = {(char *)(uintptr_t) "k8s.io/kubernetes v1.37.2",
	                   (char *)(uintptr_t) "a/b v1.0.0"};
	struct part p = {.modules = {modules, 2}};
	size_t at = 0;

	(void)state;
	conf_set(&p.conf, "mains", "a/b x/y");
	conf_set(&p.conf, "mains", "cmd/one");
	conf_set(&p.conf, "mains", "a/b/c z");
	assert_string_equal(part_next_of(&p, "mains", 0, &at), "cmd/one");
	assert_null(part_next_of(&p, "mains", 0, &at));
	at = 0;
	assert_string_equal(part_next_of(&p, "mains", 1, &at), "x/y");
	assert_null(part_next_of(&p, "mains", 1, &at));
	conf_release(&p.conf);
}

static void requires_staging_modules_without_a_copy(void **state)
{
	char *modules[] = {(char *)(uintptr_t) "k8s.io/kubernetes v1.37.2"};
	char name[] = "e2e";
	struct part p = {.name = name, .staging = true};
	auto_strbuf out = {0};
	struct err err = {0};

	(void)state;
	p.modules = (struct strlist){modules, 1};
	assert_int_equal(gomod_write(&p,
	                             "go 1.26.0\nrequire k8s.io/api v0.0.0\n\tk8s.io/api v0.0.0\n",
	                             &out, &err),
	                 0);
	assert_string_equal(out.buf, "module kubecask.local/e2e\n\n"
	                             "go 1.26.0\n\n"
	                             "require k8s.io/kubernetes v1.37.2\n\n"
	                             "require k8s.io/api v0.0.0\n"
	                             "replace k8s.io/api => k8s.io/api v0.37.2\n");
}

static void needs_a_go_line(void **state)
{
	char *modules[] = {(char *)(uintptr_t) "a/b v2.0.0"};
	char name[] = "x";
	struct part p = {.name = name};
	auto_strbuf out = {0};
	struct err err = {0};

	(void)state;
	p.modules = (struct strlist){modules, 1};
	assert_int_equal(gomod_write(&p, "module a/b\n", &out, &err), -1);
	assert_string_equal(err.msg, "go.mod of a/b v2.0.0 has no go line");
	p.staging = true;
	assert_int_equal(gomod_write(&p, "go 1.2\n", &out, &err), -1);
	assert_string_equal(err.msg, "a/b v2.0.0: its staging modules have no version");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_go_mod),
	    cmocka_unit_test(values_of_a_module),
	    cmocka_unit_test(requires_staging_modules_without_a_copy),
	    cmocka_unit_test(needs_a_go_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
