/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "conf.h"
#include "lock.h"

struct err;

/* What is to be packed: a Kubernetes version and what goes with it. */
struct release {
	char *version;    /* "v1.37.2" */
	struct conf vars; /* component versions, as "NAME-version", and what part files refer to */
	char *lock_path;  /* releases/v1.37.2.lock */
	struct lock lock;
	long long epoch; /* time stamp of everything: SOURCE_DATE_EPOCH, else the release's */
};

/* True for vMAJOR.MINOR.PATCH, plain numbers without leading zeros. */
bool release_version_ok(const char *version);

/*
 * Reads releases/vMAJOR.MINOR.conf, what vMAJOR.MINOR.PATCH.conf has instead (it need not be
 * there), and the lock.
 */
int release_load(const char *dir, const char *version, struct release *out, struct err *err);
void release_release(struct release *r);
