/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses for unit tests by their text. */
#pragma once

#include "err.h"
#include "net.h"
#include "unit.h"

static inline struct addr addr_or_port(const char *text, uint16_t port)
{
	struct err err = {0};
	struct addr a = {0};

	assert_int_equal(addr_parse(text, port, "test", &a, &err), 0);
	return a;
}

/* Port 0 unless it is named. */
static inline struct addr addr(const char *text)
{
	return addr_or_port(text, 0);
}

/* An API server: port 6443 unless it is named. */
static inline struct addr server(const char *text)
{
	return addr_or_port(text, 6443);
}
