// SPDX-License-Identifier: Apache-2.0
#include "trust.h"

#include "err.h"
#include "events.h"
#include "fs.h"
#include "strbuf.h"
#include "tls.h"

#define CA_FILE_MAX (1u << 20) /* bytes */
#define RESUME_MS   3600000    /* each server shows its certificates once an hour */

int trust_init(struct trust *t, const char *path, struct err *err)
{
	*t = (struct trust){.path = path};
	t->tls = tls_trust_new(NULL, 0, err);
	return t->tls ? 0 : -1;
}

void trust_release(struct trust *t)
{
	tls_trust_unref(t->tls);
	*t = (struct trust){0};
}

static int reload(struct trust *t, struct err *err)
{
	auto_strbuf pem = {0};
	struct tls_trust *fresh;

	if (fs_read(t->path, CA_FILE_MAX, &pem, err) < 0)
		return -1;
	fresh = tls_trust_new(strbuf_str(&pem), pem.len, err);
	if (!fresh)
		return err_wrap(err, "%s", t->path);
	tls_trust_resume(fresh, RESUME_MS);
	tls_trust_any_time(fresh);
	tls_trust_unref(t->tls);
	t->tls = fresh;
	return 0;
}

bool trust_refresh(struct trust *t, struct events *ev)
{
	struct err err = {0};

	if (!t->path || !stamp_changed(&t->seen, t->path))
		return false;
	if (!stamp_exists(&t->seen)) {
		event(ev, LOG_LVL_WARN, "%s is gone; the certificates in it are still trusted",
		      t->path);
		return false;
	}
	if (reload(t, &err) < 0) {
		event(ev, LOG_LVL_WARN, "%s; servers are verified as before: %s", err.msg,
		      t->verifies ? "by the previous file" : "not at all");
		return false;
	}
	t->verifies = true;
	event(ev, LOG_LVL_INFO, "servers are verified by %s", t->path);
	return true;
}
