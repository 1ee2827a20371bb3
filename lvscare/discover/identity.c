// SPDX-License-Identifier: Apache-2.0
#include "identity.h"

#include "err.h"
#include "events.h"
#include "fs.h"
#include "health/tls.h"
#include "strbuf.h"

#include <string.h>

#define FILE_MAX (1u << 20) /* bytes */

void identity_release(struct identity *id)
{
	tls_trust_unref(id->tls);
	*id = (struct identity){0};
}

static int load(struct identity *id, struct err *err)
{
	auto_strbuf ca = {0}, own = {0};
	struct tls_trust *fresh;
	int rc;

	if (fs_read(id->ca_file, FILE_MAX, &ca, err) < 0)
		return -1;
	if (fs_read(id->file, FILE_MAX, &own, err) < 0)
		return -1;
	fresh = tls_trust_new(strbuf_str(&ca), ca.len, err);
	if (!fresh)
		return err_wrap(err, "%s", id->ca_file);
	tls_trust_any_time(fresh);
	rc = tls_trust_identify(fresh, strbuf_str(&own), own.len, err);
	explicit_bzero(own.buf, own.cap);
	if (rc < 0) {
		tls_trust_unref(fresh);
		return err_wrap(err, "%s", id->file);
	}
	tls_trust_unref(id->tls);
	id->tls = fresh;
	return 0;
}

bool identity_refresh(struct identity *id, struct events *ev)
{
	struct err err = {0};
	bool changed;

	if (!id->file)
		return false;
	changed = stamp_changed(&id->file_seen, id->file);
	changed |= stamp_changed(&id->ca_seen, id->ca_file);
	if (!changed || !stamp_exists(&id->file_seen) || !stamp_exists(&id->ca_seen))
		return false;
	if (load(id, &err) == 0)
		return true;
	event(ev, LOG_LVL_WARN, "%s; the cluster is %s", err.msg,
	      id->tls ? "asked as before" : "not asked for its masters");
	return false;
}
