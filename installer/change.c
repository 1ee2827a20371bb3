// SPDX-License-Identifier: Apache-2.0
#include "change.h"

#include "commands.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "kernel.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "stage.h"
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SELF_BEFORE FILE_SELF ".previous"
#define CURRENT_NEW DIR_CURRENT ".new"

void change_remove_leftovers(void)
{
	unlink(CURRENT_NEW);
	fs_remove_temporaries(FILE_SELF);
	units_remove_leftovers();
	commands_remove_leftovers();
	state_remove_leftovers();
}

static int prepare_current(struct change *c, struct err *err)
{
	auto_free char *current = version_current();
	struct stat st;

	if (current && strcmp(current, c->name) == 0)
		return 0;
	if (lstat(DIR_CURRENT, &st) == 0 && !S_ISLNK(st.st_mode))
		return err_set(err, "%s: a file of that name is in the way", DIR_CURRENT);
	unlink(CURRENT_NEW);
	if (symlink(c->name, CURRENT_NEW) < 0)
		return fs_fail(err, "link", CURRENT_NEW);
	c->switches = true;
	return 0;
}

int change_prepare(struct change *c, const char *name, struct err *err)
{
	c->name = xstrdup(name);
	c->dir = xasprintf(DIR_OPT "/%s", name);
	if (commands_check(c->dir, &c->link_commands, err) < 0 ||
	    kernel_load_modules(c->dir, &c->modules, err) < 0 ||
	    kernel_sysctl_text(c->dir, &c->sysctl, err) < 0)
		return -1;
	if (units_prepare(&c->units, c->dir, strbuf_str(&c->modules), strbuf_str(&c->sysctl), err) <
	    0)
		return -1;
	return prepare_current(c, err);
}

int change_commit(struct change *c, struct err *err)
{
	c->changed |= units_changed(&c->units) || c->switches;
	if (fs_mkdir_p("/etc/cni/net.d", 0755, err) < 0 || units_commit(&c->units, err) < 0)
		return -1;
	if (c->switches && fs_rename(CURRENT_NEW, DIR_CURRENT, err) < 0)
		return -1;
	c->switches = false;
	return c->link_commands ? commands_place(c->dir, &c->changed, err) : 0;
}

void change_release(struct change *c)
{
	if (c->switches)
		unlink(CURRENT_NEW);
	units_release(&c->units);
	strbuf_release(&c->modules);
	strbuf_release(&c->sysctl);
	free(c->name);
	free(c->dir);
	*c = (struct change){0};
}

/* Whether the files NAME below the two directories differ; one that cannot be read does. */
static bool differs(const char *a, const char *b, const char *name)
{
	auto_free char *in_a = xasprintf("%s/%s", a, name), *in_b = xasprintf("%s/%s", b, name);
	struct digest of_a, of_b;
	struct err ignored = {0};

	return digest_file(in_a, &of_a, NULL, &ignored) < 0 ||
	       digest_file(in_b, &of_b, NULL, &ignored) < 0 || !digest_eq(&of_a, &of_b);
}

static bool containerd_differs(const char *a, const char *b)
{
	return strcmp(a, b) != 0 &&
	       (differs(a, b, "bin/containerd") || differs(a, b, "etc/containerd/config.toml") ||
	        differs(a, b, "systemd/containerd.service"));
}

int change_start(struct change *c, const char *old_dir, struct err *err)
{
	if (kernel_set_sysctls(strbuf_str(&c->sysctl), err) < 0 || units_reload_and_enable(err) < 0)
		return -1;
	return units_start_containerd(c->dir, old_dir && containerd_differs(old_dir, c->dir), err);
}

int change_repair(struct change *c, struct err *err)
{
	if (change_commit(c, err) < 0 || change_place_self(false, err) < 0 ||
	    kernel_set_sysctls(strbuf_str(&c->sysctl), err) < 0)
		return -1;
	if ((c->changed || !units_enabled()) && units_reload_and_enable(err) < 0)
		return -1;
	return units_start_containerd(c->dir, false, err);
}

int change_place_self(bool keep_old, struct err *err)
{
	struct digest mine, there;
	struct err ignored = {0};

	if (digest_file("/proc/self/exe", &mine, NULL, err) < 0)
		return -1;
	if (fs_exists(FILE_SELF) && digest_file(FILE_SELF, &there, NULL, &ignored) == 0 &&
	    digest_eq(&mine, &there))
		return 0;
	if (fs_mkdir_p(DIR_OPT "/bin", 0755, err) < 0)
		return -1;
	if (keep_old && fs_exists(FILE_SELF)) {
		/* a second name: there is a program at the first at any time */
		unlink(SELF_BEFORE);
		if (link(FILE_SELF, SELF_BEFORE) < 0)
			return fs_fail(err, "link", SELF_BEFORE);
	}
	if (fs_copy("/proc/self/exe", FILE_SELF, err) < 0)
		return -1;
	return chmod(FILE_SELF, 0755) == 0 ? 0 : fs_fail(err, "change the mode of", FILE_SELF);
}

int change_restore_self(struct err *err)
{
	if (fs_exists(SELF_BEFORE) && rename(SELF_BEFORE, FILE_SELF) < 0)
		return fs_fail(err, "rename to", FILE_SELF);
	unlink(SELF_BEFORE); /* rename(2) of two names of one file does nothing */
	return 0;
}

void change_forget_self(void)
{
	unlink(SELF_BEFORE);
}

json_t *change_sysctls_now(const struct change *c)
{
	return kernel_sysctl_values(strbuf_str(&c->sysctl));
}

void change_restore_sysctls(const json_t *before)
{
	size_t failed = kernel_restore_sysctls(json_object_get(before, "sysctl"));

	if (failed)
		journal("%zu sysctls could not be set back", failed);
}

void change_describe(const struct change *c, const json_t *before, json_t *result)
{
	const char *old = before ? json_text(before, "current") : "";
	auto_free char *old_dir = xasprintf(DIR_OPT "/%s", old);
	json_object_set_new(result, "kubelet_changed",
	                    json_boolean(*old && strcmp(old, c->name) != 0 &&
	                                 (differs(old_dir, c->dir, "bin/kubelet") ||
	                                  differs(old_dir, c->dir, "systemd/kubelet.service"))));
	json_object_set_new(result, "saved", json_strings(&c->units.saved));
	json_object_set_new(result, "links", json_boolean(c->link_commands));
}

int change_remove(struct err *err)
{
	int rc = units_remove(err);

	commands_remove();
	if (unlink(DIR_CURRENT) < 0 && errno != ENOENT)
		rc = fs_fail(err, "remove", DIR_CURRENT);
	return rc;
}
