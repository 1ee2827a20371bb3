// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* What happens in a run; each sink gets all of it, in the order in which it happens. */
enum event_kind {
	EVENT_NOTE,     /* text: a sentence for the user */
	EVENT_STARTED,  /* a step has begun on a machine */
	EVENT_PROGRESS, /* text: what the machine is at; now of bytes when of > 0 */
	EVENT_DONE,
	EVENT_FAILED,  /* text: the cause */
	EVENT_SKIPPED, /* text: the step that it needed and that did not succeed */
	EVENT_FINDING, /* data: of preflight, as findings_json has it */
	EVENT_PLAN,    /* data: as plan_json has it */
	EVENT_RESULT,  /* data: the command's result, its last event */
};

struct event {
	enum event_kind kind;
	int step;            /* number in the plan; 0: before there was one */
	const char *name;    /* of the step: "kubeadm init"; NULL: none */
	const char *machine; /* NULL: concerns no single machine */
	const char *text;
	uint64_t now, of;   /* bytes */
	long long began_ms; /* when the step began (monotonic); for all events of steps */
	const json_t *data;
};

/* A way to show events. Borrowed by struct events; all pointers of an event end with the call. */
struct sink {
	void (*event)(struct sink *s, const struct event *e);
	/* Called at least each EVENT_TICK_MS while anything runs, and before anything else writes
	 * to the terminal (clear). Both may be NULL. */
	void (*tick)(struct sink *s);
	void (*clear)(struct sink *s);
	void (*free)(struct sink *s);
};

#define EVENT_TICK_MS 200
#define EVENT_SINKS   2

struct events {
	struct sink *sinks[EVENT_SINKS];
	size_t n;
};

/*
 * The sinks of a command: for people on stderr (a table on a terminal, lines elsewhere) and, with
 * json, one JSON object a line on stdout (docs/json.md).
 */
void events_init(struct events *ev, bool json);
void events_release(struct events *ev);

void events_emit(struct events *ev, const struct event *e);
void events_note(struct events *ev, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void events_tick(struct events *ev);
/* Before something else writes to the terminal. */
void events_clear(struct events *ev);

/* The sinks. The caller hands them to struct events, which frees them. */
struct sink *sink_table(void); /* stderr, a terminal: machine, step, bytes, rate, time */
struct sink *sink_lines(void); /* stderr: a line per change, and every five seconds */
struct sink *sink_json(void);  /* stdout: a JSON object a line */
