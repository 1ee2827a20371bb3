// SPDX-License-Identifier: Apache-2.0
#include "loop.h"

#include "clock.h"
#include "config.h"
#include "discover/discover.h"
#include "discover/masters.h"
#include "err.h"
#include "events.h"
#include "health/pool.h"
#include "health/prober.h"
#include "health/tls.h"
#include "health/trust.h"
#include "kernel/guard.h"
#include "mem.h"
#include "order.h"
#include "serve/listen.h"
#include "serve/pages.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define PATH_MS                                                                                    \
	900 /* route, switches and CA file are looked at this often, and when the kernel reports a \
	       change */
#define NOTIFIED_MS 20    /* wait this long for more notifications before looking */
#define QUIET_MS    200   /* and look at most this often because of them */
#define FILES_MS    900   /* configuration and certificates; both are nine ticks of the default */
#define SAVE_MS     30000 /* between two tries to write the state file */
#define LINGER_MS   10000 /* a server that has left the list is probed until it was down so long */
#define STALL_MS    50    /* a loop that is later than this was kept from running */

/* epoll data; below and above: the prober's */
enum { SLOT_SIGNAL = DESTS_MAX, SLOT_NETLINK, SLOT_DISCOVER, SLOT_LISTEN };

struct loop {
	const struct config *conf;
	struct guard guard;
	struct pool pool;
	struct rules rules;
	struct events events;
	struct trust trust;
	struct masters masters;
	struct discover discover;
	bool set_changed; /* other servers are to be asked */
	bool unsaved_logged;
	struct metrics metrics;
	struct listen listen;
	struct prober prober;
	int epoll, signals, netlink;
	uint64_t next_rules, next_path; /* ms */
	uint64_t next_files, next_save; /* ms; 0: nothing to save */
	uint64_t last_path;
	bool lost;        /* nothing is usable: that was logged */
	bool look_for_vs; /* addresses have changed: the virtual one may be among them now */
	bool path_failed; /* when it was looked at last */
	char trouble[sizeof(
	    ((struct err *)0)->msg)]; /* what the guard failed with last, "" if it works */
	char no_way[256];             /* why no real server can be reached: what was logged */
};

static double clock_wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int watch(struct loop *l, int fd, uint32_t slot, uint32_t events, int op)
{
	struct epoll_event ev = {.events = events, .data.u32 = slot};

	return epoll_ctl(l->epoll, op, fd, &ev);
}

/* The servers to begin with: those that are known, and the others when they have answered. */
static void first_set(struct loop *l, const struct config *conf, uint64_t now)
{
	struct addrs want;
	size_t sure;

	masters_init(&l->masters, &conf->vs, conf->rs, conf->n_rs);
	masters_start(&l->masters, conf->state_file, conf->ca_file, &l->events);
	masters_wanted(&l->masters, &want, &sure);
	order_here(want.a, sure);
	pool_init(&l->pool, want.a, sure, conf->fall, conf->rise, now);
	l->pool.ramp_ms = conf->slow_start_ms;
	pool_set(&l->pool, want.a, want.n, now);
}

/* Servers that the kernel has and nobody names are kept until the cluster has said its list. */
static void keep_unnamed(struct loop *l, const struct rules_view *table, uint64_t now)
{
	struct addrs want;

	for (size_t i = 0; i < table->n; i++)
		masters_found(&l->masters, &table->dest[i].addr);
	masters_wanted(&l->masters, &want, &(size_t){0});
	pool_set(&l->pool, want.a, want.n, now);
}

/* Where an earlier process ended is where this one begins: what it had taken out stays out until a
 * probe says otherwise. */
static void start_from_kernel(struct loop *l)
{
	struct addr vs = l->conf->vs;
	struct rules_view table;
	enum backend_kind kind;
	struct err err = {0};

	if (backend_read(&vs, &table, &kind, &err) < 0) {
		event(&l->events, LOG_LVL_WARN, "%s; starting without what is in the kernel",
		      err.msg);
		return;
	}
	if (l->conf->client_cert)
		keep_unnamed(l, &table, l->events.now);
	pool_start(&l->pool, &table);
}

/* A page of the daemon's endpoint. */
static int on_page(void *ctx, const char *path, struct strbuf *body, const char **type)
{
	const struct loop *l = ctx;
	struct pages r = {.pool = &l->pool,
	                  .rules = &l->rules,
	                  .metrics = &l->metrics,
	                  .manages_expire = l->guard.sysctl.may_be_quiet &&
	                                    sysctl_writable(&l->guard.sysctl),
	                  .trouble = *l->trouble ? l->trouble : l->no_way,
	                  .tick_ms = l->conf->tick_ms,
	                  .now = clock_ms(),
	                  .wall = clock_wall()};

	return pages_get(&r, path, body, type);
}

static int loop_init(struct loop *l, const struct config *conf, struct err *err)
{
	sigset_t set;

	l->conf = conf;
	l->epoll = l->signals = l->netlink = -1;
	events_init(&l->events, clock_ms());
	first_set(l, conf, clock_ms());
	metrics_init(&l->metrics, clock_ms(), clock_wall());
	if (listen_init(&l->listen, &conf->listen, conf->listen_spare, on_page, l, err) < 0)
		return -1;
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
	l->prober.epoll = l->epoll;
	discover_init(&l->discover, l->epoll, SLOT_DISCOVER, conf->vs.family, conf->client_cert,
	              conf->ca_file);
	if (l->listen.epoll >= 0)
		watch(l, l->listen.epoll, SLOT_LISTEN, EPOLLIN, EPOLL_CTL_ADD);
	if (guard_open(&l->guard, conf, err) < 0)
		return -1;
	return guard_check_vs(&l->guard, err);
}

static void loop_release(struct loop *l)
{
	pool_release(&l->pool);
	discover_release(&l->discover);
	listen_release(&l->listen);
	guard_close(&l->guard);
	trust_release(&l->trust);
	mem_auto_close(&l->netlink);
	mem_auto_close(&l->signals);
	mem_auto_close(&l->epoll);
}

/* Logs the guard's trouble when it begins, changes or ends. */
static void log_trouble(struct loop *l, const char *msg)
{
	if (strcmp(l->trouble, msg) == 0)
		return;
	if (*msg)
		event(&l->events, LOG_LVL_ERROR, "%s; trying again", msg);
	else
		event(&l->events, LOG_LVL_INFO, "the rules can be written again");
	strcpy(l->trouble, msg);
}

/* Logs when this node has no way to any real server, and when it has one again. */
static void log_no_way(struct loop *l)
{
	l->metrics.no_way = *l->guard.no_way;
	if (strcmp(l->no_way, l->guard.no_way) == 0)
		return;
	if (*l->guard.no_way)
		event(&l->events, LOG_LVL_WARN, "%s; nothing is changed, trying again",
		      l->guard.no_way);
	else
		event(&l->events, LOG_LVL_INFO, "there is a way to the real servers again");
	strcpy(l->no_way, l->guard.no_way);
}

/* The switches, the route to the virtual address and what it needs. */
static int look_at_path(struct loop *l, uint64_t now, struct err *err)
{
	int rc = guard_apply_path(&l->guard, &l->rules, &l->events, err);

	l->path_failed = rc < 0;
	l->last_path = now;
	l->next_path = clock_next(now, rc < 0 ? l->conf->tick_ms : PATH_MS);
	log_no_way(l);
	if (l->look_for_vs)
		guard_watch_vs(&l->guard, &l->events);
	l->look_for_vs = false;
	return rc;
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
	if (rc == 0 && now >= l->next_path)
		rc = look_at_path(l, now, &err);
	if (rc < 0 || !l->path_failed)
		log_trouble(l, err.msg);
	if (l->guard.open)
		l->metrics.backend = backend_name(l->guard.backend.kind);
	metrics_reconciled(&l->metrics, &l->events, rc == 0 && !l->path_failed, expected, now);
	l->next_rules = clock_next(now, l->conf->tick_ms);
	if (now >= l->next_path) /* only rules that could be written lead there */
		l->next_path = l->next_rules;
}

/* The state of the servers has changed: new rules, at once. */
static void rules_changed(struct loop *l, uint64_t now)
{
	bool was_open = l->pool.failed_open;

	pool_rules(&l->pool, &l->rules, now);
	if (was_open && !l->pool.failed_open)
		prober_all_now(&l->prober, now);
	reconcile(l, true, now);
}

/* Whether every server is lost: logged when it begins and ends, and then every address that was
 * ever known is probed, too. */
static void look_for_loss(struct loop *l, uint64_t now)
{
	bool lost = pool_all_lost(&l->pool);

	if (lost == l->lost)
		return;
	l->lost = lost;
	if (!lost) {
		event(&l->events, LOG_LVL_INFO, "a real server is up again");
		return;
	}
	event(&l->events, LOG_LVL_WARN,
	      "no real server is up: connections go on to the last known ones");
	if (l->masters.current) {
		masters_doubt(&l->masters);
		discover_restart(&l->discover, now);
		l->set_changed = true;
	}
}

/* One of the cluster's list was reached: it is in force from now on. */
static void master_reached(struct loop *l, const struct server *s, uint64_t now)
{
	if (s->state != SERVER_UP || !masters_reached(&l->masters, &s->addr))
		return;
	l->set_changed = true;
	l->next_save = l->conf->state_file ? now : 0;
}

static void on_state(void *ctx, struct server *s, uint64_t now)
{
	struct loop *l = ctx;

	rules_changed(l, now);
	master_reached(l, s, now);
}

static void log_set(struct loop *l, const struct addrs *want)
{
	char name[ADDR_STR_MAX];

	for (size_t i = 0; i < l->pool.n; i++)
		if (!addrs_have(want, &l->pool.server[i]->addr))
			event(&l->events, LOG_LVL_INFO, "real server %s is no longer one",
			      addr_str(&l->pool.server[i]->addr, name));
	for (size_t i = 0; i < want->n; i++)
		if (!pool_find(&l->pool, &want->a[i]))
			event(&l->events, LOG_LVL_INFO,
			      "real server %s is new: used once it is ready",
			      addr_str(&want->a[i], name));
}

/*
 * Whether a server that is not wanted can go. One that is not on the cluster's list is used as long
 * as it answers, or drained: an API server leaves the list when its end begins, and when etcd is
 * slow.
 */
static bool may_go(const struct server *s, uint64_t now)
{
	return s->down_since && now >= s->down_since + LINGER_MS;
}

/* The servers that are wanted, and behind them those that are not but stay for now. */
static void next_set(const struct loop *l, struct addrs *wanted, struct addrs *all, uint64_t now)
{
	masters_wanted(&l->masters, wanted, &(size_t){0});
	*all = *wanted;
	for (size_t i = 0; i < l->pool.n; i++)
		if (!may_go(l->pool.server[i], now))
			addrs_add(all, &l->pool.server[i]->addr);
}

static bool any_may_go(const struct loop *l, uint64_t now)
{
	struct addrs wanted, all;

	next_set(l, &wanted, &all, now);
	return all.n < l->pool.n;
}

/* Other servers are to be probed: those that stay go on as they are. */
static void change_set(struct loop *l, uint64_t now)
{
	struct addrs wanted, all;

	l->set_changed = false;
	next_set(l, &wanted, &all, now);
	log_set(l, &all);
	pool_set(&l->pool, all.a, all.n, now);
	rules_changed(l, now);
}

/* Takes the list that the cluster has sent, if one has come. */
static void take_masters(struct loop *l, uint64_t now)
{
	const struct addrs *list = discover_news(&l->discover);

	if (!list || !masters_learn(&l->masters, list))
		return;
	l->set_changed = true;
	for (size_t i = 0; i < l->pool.n; i++)
		master_reached(l, l->pool.server[i], now);
}

static void save(struct loop *l, uint64_t now)
{
	const struct config *c = l->conf;
	struct err err = {0};
	struct marks marks;

	l->next_save = 0;
	marks_read(&marks, c->ca_file);
	if (masters_save(&l->masters, c->state_file, &marks, &err) == 0)
		return;
	l->next_save = now + SAVE_MS;
	if (!l->unsaved_logged)
		event(&l->events, LOG_LVL_WARN, "the masters are not remembered: %s", err.msg);
	l->unsaved_logged = true;
}

static void look_at_files(struct loop *l, uint64_t now)
{
	l->next_files = clock_next(now, FILES_MS);
	discover_refresh(&l->discover, &l->events, now);
	if (trust_refresh(&l->trust, &l->events) && l->masters.current && l->conf->state_file)
		l->next_save = now; /* it says which authority the list is of */
	l->set_changed |= any_may_go(l, now);
}

/* Everything whose time has come; returns when the next thing is due. */
static uint64_t run_timers(struct loop *l, uint64_t now)
{
	uint64_t next;

	prober_run_due(&l->prober, now);
	look_for_loss(l, now);
	if (now >= l->next_files)
		look_at_files(l, now);
	next = discover_turn(&l->discover, &l->pool, &l->events, now);
	take_masters(l, now);
	if (l->set_changed)
		change_set(l, now);
	if (l->next_save && now >= l->next_save)
		save(l, now);
	if (pool_tick(&l->pool, now))
		rules_changed(l, now);
	if (now >= l->next_rules || now >= l->next_path)
		reconcile(l, false, now);
	next = clock_sooner(next, listen_turn(&l->listen, &l->events, now));
	next = clock_sooner(next,
	                    clock_sooner(l->next_files, clock_sooner(l->next_rules, l->next_path)));
	next = clock_sooner(next, prober_due(&l->prober));
	return next;
}

/* Addresses or routes have changed: look soon, but not for each of a thousand changes. */
static void notified(struct loop *l, uint64_t now)
{
	uint64_t at = l->last_path + QUIET_MS;

	if (!nlsock_drain(l->netlink))
		return;
	l->look_for_vs = true;
	if (at < now + NOTIFIED_MS)
		at = now + NOTIFIED_MS;
	if (at < l->next_path)
		l->next_path = at;
}

/* This process, or the whole machine, was late: no server is to blame for that. */
static void look_for_stall(struct loop *l, uint64_t wanted, uint64_t now)
{
	if (now > wanted + STALL_MS)
		prober_postpone(&l->prober, now - wanted);
}

static void loop_turn(struct loop *l, bool *stop)
{
	struct epoll_event ready[16];
	uint64_t now = l->events.now = clock_ms();
	uint64_t next = run_timers(l, now), wait;
	int n;

	look_for_stall(l, now, clock_ms());
	now = clock_ms();
	wait = next > now ? next - now : 0;
	n = epoll_wait(l->epoll, ready, ARRAY_SIZE(ready), (int)wait);
	look_for_stall(l, now + wait, clock_ms());
	now = l->events.now = clock_ms();
	for (int i = 0; i < n; i++) {
		uint32_t slot = ready[i].data.u32;

		if (slot == SLOT_SIGNAL)
			*stop = true;
		else if (slot == SLOT_NETLINK)
			notified(l, now);
		else if (slot == SLOT_DISCOVER)
			discover_ready(&l->discover, &l->events, now);
		else if (slot == SLOT_LISTEN)
			listen_ready(&l->listen, now);
		else
			prober_ready(&l->prober, slot, now);
	}
}

int loop_run(const struct config *conf, struct err *err)
{
	struct loop *l = xcalloc(1, sizeof(*l));
	char name[ADDR_STR_MAX];
	bool stop = false;
	int rc;

	l->conf = conf;
	l->prober = (struct prober){.pool = &l->pool,
	                            .conf = &conf->probe,
	                            .interval_ms = conf->interval_ms,
	                            .fast_ms = conf->fast_ms,
	                            .trust = &l->trust.tls,
	                            .identity = &l->discover.identity.tls,
	                            .events = &l->events,
	                            .changed = on_state,
	                            .ctx = l};
	rc = loop_init(l, conf, err);
	if (rc == 0) {
		log_info("guards virtual server %s with %zu real servers, backend %s",
		         addr_str(&conf->vs, name), l->pool.n, backend_name(l->guard.backend.kind));
		trust_refresh(&l->trust, &l->events);
		start_from_kernel(l);
		pool_rules(&l->pool, &l->rules, clock_ms());
		while (!stop)
			loop_turn(l, &stop);
		guard_end(&l->guard);
		log_info("ends; the rules stay");
	}
	loop_release(l);
	free(l);
	return rc;
}
