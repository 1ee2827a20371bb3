// SPDX-License-Identifier: Apache-2.0
#pragma once

struct err;

/* Notes in the state, once, which of the directories that Kubernetes makes where they are missing
 * (host paths of its pods among them) were not there before us: reset removes these. */
int absent_note(struct err *err);
