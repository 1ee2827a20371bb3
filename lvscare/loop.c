// SPDX-License-Identifier: Apache-2.0
#include "loop.h"

#include "config.h"
#include "err.h"
#include "events.h"
#include "guard.h"
#include "listen.h"
#include "mem.h"
#include "pool.h"
#include "probe.h"
#include "report.h"
#include "tls.h"
#include "trust.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define PATH_MS     1000 /* route, switches and CA file are looked at this often, and when told */
#define NOTIFIED_MS 20   /* wait this long for more notifications before looking */
#define QUIET_MS    200  /* and look at most this often because of them */

enum {
	SLOT_SIGNAL = DESTS_MAX,
	SLOT_NETLINK,
	SLOT_LISTEN
}; /* epoll data; below: index of a server's probe */

struct prober {
	struct probe probe;
	uint64_t next; /* ms: when the next probe starts */
	enum verdict last;
	bool told; /* last was logged */
};

struct loop {
	const struct config *conf;
	struct guard guard;
	struct pool pool;
	struct rules rules;
	struct events events;
	struct trust trust;
	struct metrics metrics;
	struct listen listen;
	struct prober prober[DESTS_MAX];
	int epoll, signals, netlink;
	uint64_t next_rules, next_path; /* ms */
	uint64_t last_path;
	bool failed_open;
	bool path_failed; /* when it was looked at last */
	char trouble[sizeof(
	    ((struct err *)0)->msg)]; /* what the guard failed with last, "" if it works */
};

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static double clock_wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ms with up to a fifth more or less, so that the nodes of a cluster do not ask in step. */
static uint64_t jitter(unsigned ms)
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) < 0 || ms < 5)
		return ms;
	return ms - ms / 5 + r % (2 * (ms / 5) + 1);
}

static int watch(struct loop *l, int fd, uint32_t slot, uint32_t events, int op)
{
	struct epoll_event ev = {.events = events, .data.u32 = slot};

	return epoll_ctl(l->epoll, op, fd, &ev);
}

/* A page for whoever asks the daemon how it is. */
static int on_page(void *ctx, const char *path, struct strbuf *body, const char **type)
{
	const struct loop *l = ctx;
	struct report r = {.pool = &l->pool,
	                   .rules = &l->rules,
	                   .metrics = &l->metrics,
	                   .trouble = l->trouble,
	                   .tick_ms = l->conf->tick_ms,
	                   .now = clock_ms(),
	                   .wall = clock_wall()};

	return report_page(&r, path, body, type);
}

static int loop_init(struct loop *l, const struct config *conf, struct err *err)
{
	sigset_t set;

	l->conf = conf;
	l->epoll = l->signals = l->netlink = -1;
	events_init(&l->events, clock_ms());
	metrics_init(&l->metrics, clock_ms(), clock_wall());
	if (listen_init(&l->listen, &conf->listen, on_page, l, err) < 0)
		return -1;
	pool_init(&l->pool, conf->rs, conf->n_rs, conf->fall, conf->rise);
	l->rules = (struct rules){.vs = conf->vs, .scheduler = conf->scheduler};
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (tls_init(err) < 0 ||
	    trust_init(&l->trust, conf->insecure ? NULL : conf->ca_file, err) < 0)
		return -1;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	l->netlink = nlsock_listen(err);
	if (l->netlink < 0)
		return -1;
	if (l->epoll < 0 || l->signals < 0 ||
	    watch(l, l->signals, SLOT_SIGNAL, EPOLLIN, EPOLL_CTL_ADD) < 0 ||
	    watch(l, l->netlink, SLOT_NETLINK, EPOLLIN, EPOLL_CTL_ADD) < 0)
		return err_set(err, "event loop: %s", strerror(errno));
	if (l->listen.epoll >= 0)
		watch(l, l->listen.epoll, SLOT_LISTEN, EPOLLIN, EPOLL_CTL_ADD);
	if (guard_open(&l->guard, conf, err) < 0)
		return -1;
	return guard_check(&l->guard, err);
}

static void loop_release(struct loop *l)
{
	for (size_t i = 0; i < l->pool.n; i++)
		probe_stop(&l->prober[i].probe);
	listen_release(&l->listen);
	metrics_release(&l->metrics);
	guard_close(&l->guard);
	trust_release(&l->trust);
	mem_auto_close(&l->netlink);
	mem_auto_close(&l->signals);
	mem_auto_close(&l->epoll);
}

/* Logs the guard's trouble when it begins, changes or ends. */
static void tell_trouble(struct loop *l, const char *msg)
{
	if (strcmp(l->trouble, msg) == 0)
		return;
	if (*msg)
		event(&l->events, LOG_LVL_ERROR, "%s; trying again", msg);
	else
		event(&l->events, LOG_LVL_INFO, "the rules can be written again");
	strcpy(l->trouble, msg);
}

/* Looks at the rules, and at the path to them when it is time, and repairs. expected: what is
 * wanted has changed itself. */
static void reconcile(struct loop *l, bool expected, uint64_t now)
{
	struct err err = {0};
	int rc = guard_open(&l->guard, l->conf, &err);

	if (rc == 0)
		rc = guard_apply_rules(&l->guard, &l->rules, &l->events, &err);
	if (rc < 0)
		guard_close(&l->guard); /* the family's number may have changed with its module */
	if (rc == 0 && now >= l->next_path) {
		rc = guard_apply_path(&l->guard, &l->events, &err);
		l->path_failed = rc < 0;
		l->last_path = now;
		l->next_path = now + (rc < 0 ? l->conf->tick_ms : PATH_MS);
		trust_refresh(&l->trust, &l->events);
	}
	if (rc < 0 || !l->path_failed)
		tell_trouble(l, err.msg);
	metrics_reconciled(&l->metrics, &l->events, rc == 0 && !l->path_failed, expected, now);
	l->next_rules = now + l->conf->tick_ms;
}

/* The state of the servers has changed: new rules, at once. */
static void rules_changed(struct loop *l, uint64_t now)
{
	pool_rules(&l->pool, &l->rules);
	if (l->pool.failed_open != l->failed_open) {
		l->failed_open = l->pool.failed_open;
		if (l->failed_open)
			event(&l->events, LOG_LVL_WARN,
			      "no real server is up: connections go on to the last known ones");
		else
			event(&l->events, LOG_LVL_INFO, "a real server is up again");
	}
	reconcile(l, true, now);
}

static void tell_state(struct loop *l, size_t i, const struct probe_result *r)
{
	const struct server *s = &l->pool.server[i];
	char name[ADDR_STR_MAX];

	metrics_transition(&l->metrics, &l->pool, i, r->text, l->events.now);
	event(&l->events, s->state == SERVER_UP ? LOG_LVL_INFO : LOG_LVL_WARN,
	      "real server %s is %s: %s", addr_str(&s->addr, name), server_state_name(s->state),
	      r->text);
}

static void probe_done(struct loop *l, size_t i, const struct probe_result *r, uint64_t now)
{
	struct prober *p = &l->prober[i];
	char name[ADDR_STR_MAX];
	bool changed = pool_report(&l->pool, i, r->verdict);
	unsigned interval = pool_in_transition(&l->pool, i) ? l->conf->fast_ms
	                                                    : l->conf->interval_ms;
	uint64_t started = p->probe.deadline - l->conf->probe.timeout_ms;

	p->next = started + jitter(interval);
	if (p->next <= now)
		p->next = now + 1;
	metrics_probe(&l->metrics, &l->pool, i, r, now - started);
	log_debug("probe %s: %s", addr_str(&l->pool.server[i].addr, name), r->text);
	if (!changed)
		return;
	tell_state(l, i, r);
	rules_changed(l, now);
}

static void probe_begin(struct loop *l, size_t i, uint64_t now)
{
	struct probe *p = &l->prober[i].probe;
	struct probe_result r;

	if (probe_start(p, &l->conf->probe, l->trust.tls, &l->pool.server[i].addr, now, &r))
		probe_done(l, i, &r, now);
	else
		watch(l, p->fd, (uint32_t)i, p->events, EPOLL_CTL_ADD);
}

static void probe_ready(struct loop *l, size_t i, uint64_t now)
{
	struct probe *p = &l->prober[i].probe;
	uint32_t before = p->events;
	struct probe_result r;

	if (p->stage == PROBE_IDLE) /* ended by an earlier event of the same round */
		return;
	if (probe_step(p, &r))
		probe_done(l, i, &r, now);
	else if (p->events != before)
		watch(l, p->fd, (uint32_t)i, p->events, EPOLL_CTL_MOD);
}

/* Everything whose time has come; returns when the next thing is due. */
static uint64_t run_timers(struct loop *l, uint64_t now)
{
	uint64_t next;

	for (size_t i = 0; i < l->pool.n; i++) {
		struct prober *p = &l->prober[i];
		struct probe_result r;

		if (p->probe.stage != PROBE_IDLE && now >= p->probe.deadline) {
			probe_expire(&p->probe, &r);
			probe_done(l, i, &r, now);
		}
		if (p->probe.stage == PROBE_IDLE && now >= p->next)
			probe_begin(l, i, now);
	}
	if (now >= l->next_rules || now >= l->next_path)
		reconcile(l, false, now);
	next = listen_turn(&l->listen, &l->events, now);
	next = l->next_rules < next ? l->next_rules : next;
	next = l->next_path < next ? l->next_path : next;
	for (size_t i = 0; i < l->pool.n; i++) {
		const struct prober *p = &l->prober[i];
		uint64_t due = p->probe.stage == PROBE_IDLE ? p->next : p->probe.deadline;

		next = due < next ? due : next;
	}
	return next;
}

/* Addresses or routes have changed: look soon, but not for each of a thousand changes. */
static void notified(struct loop *l, uint64_t now)
{
	uint64_t at = l->last_path + QUIET_MS;

	if (!nlsock_drain(l->netlink))
		return;
	if (at < now + NOTIFIED_MS)
		at = now + NOTIFIED_MS;
	if (at < l->next_path)
		l->next_path = at;
}

static void loop_turn(struct loop *l, bool *stop)
{
	struct epoll_event ready[16];
	uint64_t now = l->events.now = clock_ms();
	uint64_t next = run_timers(l, now);
	int n;

	now = clock_ms();
	n = epoll_wait(l->epoll, ready, ARRAY_SIZE(ready), next > now ? (int)(next - now) : 0);
	now = l->events.now = clock_ms();
	for (int i = 0; i < n; i++) {
		uint32_t slot = ready[i].data.u32;

		if (slot == SLOT_SIGNAL)
			*stop = true;
		else if (slot == SLOT_NETLINK)
			notified(l, now);
		else if (slot == SLOT_LISTEN)
			listen_ready(&l->listen, now);
		else
			probe_ready(l, slot, now);
	}
}

int loop_run(const struct config *conf, struct err *err)
{
	struct loop *l = xcalloc(1, sizeof(*l));
	char name[ADDR_STR_MAX];
	bool stop = false;
	int rc = loop_init(l, conf, err);

	if (rc == 0) {
		log_info("guards virtual server %s with %zu real servers",
		         addr_str(&conf->vs, name), conf->n_rs);
		trust_refresh(&l->trust, &l->events);
		pool_rules(&l->pool, &l->rules);
		while (!stop)
			loop_turn(l, &stop);
		log_info("ends; the rules stay");
	}
	loop_release(l);
	free(l);
	return rc;
}
