/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

struct err;

/*
 * The working directory of the packager: records/ (what each step gave), bin/ and tree/ (compiled
 * and unpacked things), blobs/ (layers), src/ (of running builds), deb/, log/.
 */

/* Makes it and keeps other packagers out of it until the descriptor is closed, here and in all that
 * was started meanwhile; -1 with err. */
int store_open(const char *work, struct err *err);

/* Keeps the records of each step that were used last, as many as keep, and only what these speak
 * of. */
int store_prune(const char *work, size_t keep, struct err *err);
