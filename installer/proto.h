// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct strbuf;

/*
 * The line protocol between controller and node (`kubecask node serve` on stdin/stdout), and
 * between the installer and its per-host processes. Each message is one JSON object on one line:
 *   request   {"op":"NAME","args":{...}}     op "put" is followed by args.size raw bytes
 *   progress  {"at":"STEP","now":N,"of":N}   any number; now and of in bytes, 0 when unknown
 *   answer    {"ok":{...}} or {"error":"SENTENCE","code":N}
 * A node's bytes are untrusted: lengths are bounded and control characters in text are replaced.
 */
#define PROTO_VERSION  1
#define PROTO_LINE_MAX (8u << 20)
#define PROTO_TEXT_MAX 2000 /* bytes of a step or an error sentence */

enum msg_kind { MSG_REQUEST, MSG_PROGRESS, MSG_OK, MSG_ERROR };

struct msg {
	enum msg_kind kind;
	char *text;       /* op, step or error sentence */
	json_t *body;     /* args or result: an object, never NULL for MSG_REQUEST and MSG_OK */
	uint64_t now, of; /* progress */
	int code;         /* error: an exit code */
};

/* Parses one line without its newline. *out is zeroed on failure. */
int msg_parse(const char *line, size_t len, struct msg *out, struct err *err);
void msg_release(struct msg *m);

/* Append one message with its newline. args and result are borrowed and may be NULL. */
void msg_request(struct strbuf *out, const char *op, const json_t *args);
void msg_progress(struct strbuf *out, const char *step, uint64_t now, uint64_t of);
void msg_ok(struct strbuf *out, const json_t *result);
void msg_error(struct strbuf *out, const struct err *err);

/* Replaces what a terminal would act on (control characters, DEL, C1, broken UTF-8) by '?';
 * newlines too, unless lines is set. */
void text_neutralise(char *s, bool lines);
