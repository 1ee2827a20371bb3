/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct plan;

/*
 * What the bundle is made of, as an SPDX 2.3 document (JSON, keys in a fixed order, no white
 * space): the bundle, its components, the Go modules that are linked into each, the Debian
 * packages. All steps of the plan are done. The caller's.
 */
char *sbom_make(const struct plan *p);
