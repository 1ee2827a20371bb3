// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct err;

#define PLAN_RUN_MAX 18 /* characters of a run's name and the NUL */

/*
 * One step: an operation of one machine (the table in serve.c). Its number is its place in the
 * plan, from 1. A plan is data: it is printed by --dry-run, executed by runner.c, compared with
 * what happened by plan-check.
 */
struct step {
	const char *op;   /* what the machine is asked to do; a constant */
	const char *name; /* how people know it: "kubeadm init"; a constant */
	char *scope;      /* the machine's name */
	size_t machine;   /* its place among the run's machines */
	int *needs;       /* steps that must have succeeded */
	size_t n_needs;
	int *after; /* steps that must have ended, whatever became of them */
	size_t n_after;
	json_t *args;     /* an object; strings "$(NAME)" stand for values of earlier steps */
	const char *undo; /* the operation that takes it back; NULL: nothing to take back */
	bool cleanup;     /* runs also when the operator has asked for an end */
};

struct plan {
	char run[PLAN_RUN_MAX]; /* names the run in journals and events */
	struct step *v;
	size_t n;
};

/* An empty plan with a fresh name: time and random, "20261129-ab12cd34". */
int plan_init(struct plan *p, struct err *err);
void plan_release(struct plan *p);

/* Appends a step and returns its number. Takes over args (NULL: none). */
int plan_add(struct plan *p, const char *op, const char *name, size_t machine, const char *scope,
             json_t *args, const char *undo);
/* Step number needs number need; 0 is no step and adds nothing. */
void plan_needs(struct plan *p, int step, int need);
void plan_after(struct plan *p, int step, int earlier);
struct step *plan_step(const struct plan *p, int number); /* NULL: no such step */

/* {"run","steps":[{"step","op","name","scope","needs","after","args","undo"}]}; what is secret in
 * arguments is replaced. The caller's. */
json_t *plan_json(const struct plan *p);
/* The same for people: a line a step. */
void plan_print(const struct plan *p, FILE *out);

/* A copy of args in which each string "$(NAME)" is values.NAME, whatever its type. NULL with err
 * when there is no such value. The caller's. */
json_t *plan_resolve(const json_t *args, const json_t *values, struct err *err);
