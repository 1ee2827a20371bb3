/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "conf.h"
#include "strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

#define STEP_DEPS_MAX 24
#define STEP_KEY_LEN  32

enum step_state { STEP_WAITING, STEP_RUNNING, STEP_DONE };

/*
 * One step of a package: work in a child process whose outcome is a record (a few settings). A
 * record is kept under the step's name and key, and a step whose key has one is not run again.
 */
struct step {
	char *name; /* "compile kube": also what the user sees */
	/* Everything the outcome depends on, as text; the dependencies' records are there already.
	 */
	int (*inputs)(struct step *s, struct strbuf *out, struct err *err);
	/* In the child; fills s->record, writes its long output on stderr (a log file). */
	int (*run)(struct step *s, struct err *err);
	void *ctx;
	struct step *deps[STEP_DEPS_MAX];
	size_t n_deps;
	/* filled by steps_run */
	char key[STEP_KEY_LEN + 1];
	struct conf record;
	enum step_state state;
	bool cached;
	pid_t pid;
	int report; /* the child's end of work: nothing when all is well, else the sentence */
	long long started;
	struct strbuf said;
};

struct steps {
	struct step *v[64];
	size_t n;
	const char *work; /* records in work/records, logs in work/log */
	unsigned jobs;
};

struct step *steps_add(struct steps *l, const char *name);
void step_needs(struct step *s, struct step *dep);
/* A value of a finished step's record; "" when it has none. */
const char *step_value(const struct step *s, const char *key);
/* Runs what is not done yet, at most jobs at a time; the first failure stops the others. */
int steps_run(struct steps *l, struct err *err);
void steps_release(struct steps *l);
