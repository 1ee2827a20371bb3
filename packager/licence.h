/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct conf;
struct err;
struct strbuf;

/*
 * What is linked into a Go program, and under which terms. lines: "MODULE VERSION DIR" of each
 * package's module, as go list gives them, in any order and often. The record gets a line "linked"
 * ("MODULE VERSION") for each module; text gets the licence, notice and copyright files at the top
 * of each. goroot and version are those of Go's own library, which every program has.
 */
int licence_collect(const char *lines, const char *goroot, const char *version, struct conf *record,
                    struct strbuf *text, struct err *err);
