/* SPDX-License-Identifier: Apache-2.0 */
/* For a group of tests: the configuration of a cluster for which the user chose nothing. */
#pragma once

#include "config.h"
#include "err.h"
#include "strbuf.h"
#include "unit.h"

static struct cluster_config cfg;

static inline int config_setup(void **state)
{
	static const struct strlist none;
	struct err err = {0};

	(void)state;
	return cluster_config_init(&cfg, &(struct config_choice){0}, "v1.37.2", &none, &err);
}

static inline int config_teardown(void **state)
{
	(void)state;
	cluster_config_release(&cfg);
	return 0;
}
