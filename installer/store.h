// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct digest;
struct err;
struct strbuf;

/* The node's blob store, see store.c. */
char *store_path(const struct digest *d); /* the caller's */
bool store_has(const struct digest *d);   /* there, and its digest matches */
/* A small blob (index, manifest, config) appended to out, verified once more. */
int store_read(const struct digest *d, size_t max, struct strbuf *out, struct err *err);
/* Removes what transfers that were killed left behind; with the node's lock held. */
void store_remove_leftovers(void);
