// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>

/* Fields of the user's kubeadm documents with rules of their own (configfields.c); what
 * configcheck.c makes of them. */
enum config_rule_type {
	RULE_ONLY,        /* one of allowed; why: the sentence for any other value */
	RULE_NEVER,       /* must not be there; why: the sentence */
	RULE_ONE_MACHINE, /* belongs to one machine; why: what it is; allowed: kubeadm's examples */
	RULE_LIST,        /* a list in every version; why: an example */
	RULE_ARGS,        /* a map before v1beta4, then a list; why: an example */
};

struct config_rule {
	const char *kinds[2];
	const char *path;
	enum config_rule_type rule;
	const char *allowed; /* words with '|' between them, or NULL */
	const char *why;
	const char *instead; /* RULE_ONE_MACHINE: the way out */
};

/* An argument of a program that is set by these steps or belongs to one machine. */
struct config_argument {
	const char *path; /* "kubeletExtraArgs", "apiServer.extraArgs", "etcd.local.extraArgs" */
	const char *name;
	const char *one; /* what it is, for one that belongs to one machine; else NULL */
	const char *why; /* the sentence, or the way out */
};

const struct config_rule *config_rules(size_t *n);
const struct config_argument *config_arguments(size_t *n);
