/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SHA-256 of this program's own sources, in hex: part of the keys of steps, so that a result that
 * another packager made is not taken for this one's (Makefile).
 */
extern const char sources_gobuild[]; /* of what prepares and compiles a Go program */
extern const char sources_all[];     /* of the whole packager and common/ */
