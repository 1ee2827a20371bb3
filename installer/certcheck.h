// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stddef.h>

struct strbuf;

/* How long certificates are to live, hours; 0: not known. */
struct cert_lives {
	long long leaf, ca;
};

/* As the ClusterConfiguration says (NULL: as kubeadm does without one): 99 years, or the user's. */
struct cert_lives cert_lives_of(const json_t *cluster_configuration);

/*
 * Judges each certificate of an answer to op "certificates" by that machine's clock. Sets in each:
 * "days", those that are left; "problem", what is to be mended: it has ended or will within
 * 30 days, does not begin yet, or what the machine found; "note", that its life is shorter than the
 * configuration says. Returns the number of problems. Certificates that a program makes for itself
 * at each start (docs/certificates.md) are never a problem by their end.
 */
size_t cert_judge(json_t *answer, const struct cert_lives *lives);

/* "99 years", "364 days", "5 hours" */
void cert_life_text(long long seconds, struct strbuf *out);
