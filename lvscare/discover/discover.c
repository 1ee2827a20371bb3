// SPDX-License-Identifier: Apache-2.0
#include "discover.h"

#include "clock.h"
#include "err.h"
#include "events.h"
#include "health/pool.h"
#include "health/tcp.h"
#include "health/tls.h"
#include "mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ANSWER_MS      10000 /* a list must be there by then, a watch have begun */
#define WATCH_S        240 /* the server is asked to end a watch after this, and up to half more */
#define GRACE_MS       30000 /* behind that: it has forgotten us */
#define BACKOFF_MS     1000  /* after the first failure; doubled up to the next */
#define BACKOFF_MAX_MS 30000
#define PIECE          4096 /* bytes read at once */
#define PIECES         16   /* and then others have their turn */

#define PATH                                            \
	"/apis/discovery.k8s.io/v1/namespaces/default/" \
	"endpointslices?fieldSelector=metadata.name%3Dkubernetes"

void discover_init(struct discover *d, int epoll, uint32_t slot, int family, const char *file,
                   const char *ca_file)
{
	*d = (struct discover){.epoll = epoll, .slot = slot, .family = family, .fd = -1};
	d->identity = (struct identity){.file = file, .ca_file = ca_file};
	d->wait_ms = BACKOFF_MS;
}

static void stop(struct discover *d)
{
	if (d->stage == DISCOVER_IDLE)
		return;
	tls_free(d->tls);
	close(d->fd);
	free(d->request);
	answer_release(&d->answer);
	d->tls = NULL;
	d->request = NULL;
	d->fd = -1;
	d->stage = DISCOVER_IDLE;
}

void discover_release(struct discover *d)
{
	stop(d);
	identity_release(&d->identity);
}

void discover_restart(struct discover *d, uint64_t now)
{
	stop(d);
	d->version[0] = '\0';
	d->next = now;
}

void discover_refresh(struct discover *d, struct events *ev, uint64_t now)
{
	if (identity_refresh(&d->identity, ev))
		discover_restart(d, now);
}

/* Logs what is wrong when it begins or changes, and when it is over. */
static void log_trouble(struct discover *d, struct events *ev, const char *why)
{
	char name[ADDR_STR_MAX];

	if (strncmp(d->trouble, why, sizeof(d->trouble) - 1) == 0)
		return;
	if (*why)
		event(ev, LOG_LVL_WARN,
		      "%s cannot be asked for the cluster's masters: %s; the last list stays, "
		      "trying again",
		      addr_str(&d->peer, name), why);
	else
		event(ev, LOG_LVL_INFO, "the cluster can be asked for its masters again");
	snprintf(d->trouble, sizeof(d->trouble), "%s", why);
}

/* Later each time. */
static void back_off(struct discover *d, uint64_t now)
{
	stop(d);
	d->next = now + d->wait_ms / 2 + clock_spread(d->wait_ms);
	d->wait_ms = d->wait_ms * 2 < BACKOFF_MAX_MS ? d->wait_ms * 2 : BACKOFF_MAX_MS;
}

/* Ends what is under way. One failure alone is not logged: servers restart, and there are others.
 */
static void fail(struct discover *d, struct events *ev, uint64_t now, const char *why)
{
	if (d->wait_ms > BACKOFF_MS)
		log_trouble(d, ev, why);
	else
		log_debug("masters: %s", why);
	d->failed_watch = d->watching;
	back_off(d, now);
}

static void recovered(struct discover *d, struct events *ev)
{
	log_trouble(d, ev, "");
	d->failed_watch = false;
	d->wait_ms = BACKOFF_MS;
}

/* The version has become too old: a list again. */
static void list_again(struct discover *d, uint64_t now)
{
	log_debug("masters: watch: the version is too old: a list again");
	d->version[0] = '\0';
	back_off(d, now);
}

static void fail_errno(struct discover *d, struct events *ev, uint64_t now, const char *what,
                       int error)
{
	char why[160];

	snprintf(why, sizeof(why), "%s: %s", what, strerror(error));
	fail(d, ev, now, why);
}

static void wait_for(struct discover *d, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.u32 = d->slot};

	if (events == d->waits)
		return;
	epoll_ctl(d->epoll, d->waits ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, d->fd, &ev);
	d->waits = events;
}

/* A TLS step that did not get on. */
static void blocked(struct discover *d, struct events *ev, uint64_t now, const char *what, int rc)
{
	char why[128], text[160];

	if (rc == TLS_WANT_READ) {
		wait_for(d, EPOLLIN);
	} else if (rc == TLS_WANT_WRITE) {
		wait_for(d, EPOLLOUT);
	} else {
		snprintf(text, sizeof(text), "%s: %s", what, tls_reason(d->tls, why, sizeof(why)));
		fail(d, ev, now, text);
	}
}

/* The request that is next: the list, or the watch from the version that the list had. */
static void prepare(struct discover *d, uint64_t now)
{
	char host[ADDR_STR_MAX], query[160] = "";
	unsigned seconds = WATCH_S + clock_spread(WATCH_S / 2);

	d->watching = d->version[0];
	d->begun = d->more = false;
	d->deadline = now + ANSWER_MS;
	if (d->watching)
		snprintf(query, sizeof(query),
		         "&watch=1&allowWatchBookmarks=true&timeoutSeconds=%u&resourceVersion=%s",
		         seconds, d->version);
	d->request = xasprintf("GET %s%s HTTP/1.1\r\nHost: %s\r\n"
	                       "User-Agent: lvscare/" KUBECASK_VERSION "\r\n"
	                       "Accept: application/json\r\nConnection: close\r\n\r\n",
	                       PATH, query, addr_str(&d->peer, host));
	d->len = strlen(d->request);
	d->sent = 0;
}

/* A server that is up, any of them; false when none is. */
static bool choose(const struct pool *p, struct addr *out)
{
	size_t up = 0, nth;

	for (size_t i = 0; i < p->n; i++)
		up += p->server[i]->state == SERVER_UP;
	if (!up)
		return false;
	nth = clock_spread((uint32_t)up);
	for (size_t i = 0; i < p->n; i++) {
		if (p->server[i]->state != SERVER_UP || nth-- > 0)
			continue;
		*out = p->server[i]->addr;
		return true;
	}
	return false;
}

static bool still_up(const struct pool *p, const struct addr *a)
{
	const struct server *s = pool_find(p, a);

	return s && s->state == SERVER_UP;
}

static void begin(struct discover *d, struct events *ev, uint64_t now)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_sockaddr(&d->peer, &sa);

	d->fd = tcp_socket(d->peer.family);
	if (d->fd < 0) {
		fail_errno(d, ev, now, "socket", errno);
		return;
	}
	d->stage = DISCOVER_CONNECT;
	d->waits = 0;
	prepare(d, now);
	d->tls = tls_new(d->identity.tls, d->fd, &d->peer);
	if (!d->tls) {
		fail(d, ev, now, "TLS: cannot be set up");
		return;
	}
	if (connect(d->fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS)
		fail_errno(d, ev, now, "connect", errno);
	else
		wait_for(d, EPOLLOUT);
}

/* Skips a server that is not up while another is. */
static bool better_elsewhere(const struct discover *d, const struct pool *p)
{
	struct addr other;

	return !still_up(p, &d->peer) && choose(p, &other);
}

uint64_t discover_turn(struct discover *d, const struct pool *p, struct events *ev, uint64_t now)
{
	if (d->stage != DISCOVER_IDLE && now >= d->deadline) {
		fail(d, ev, now, d->watching ? "watch: no end in time" : "list: no answer in time");
	} else if (d->stage != DISCOVER_IDLE && better_elsewhere(d, p)) {
		stop(d);
		d->next = now + clock_spread(BACKOFF_MS); /* not all nodes at once */
	} else if (d->stage != DISCOVER_IDLE && d->more) {
		discover_ready(d, ev, now);
	}
	if (d->stage == DISCOVER_IDLE) {
		if (!d->identity.tls)
			return UINT64_MAX;
		if (now < d->next)
			return d->next;
		if (!choose(p, &d->peer)) /* a probe's result ends the wait */
			return UINT64_MAX;
		begin(d, ev, now);
	}
	if (d->stage == DISCOVER_IDLE)
		return d->next;
	return d->more ? now : d->deadline;
}

/* The masters were named, or not one of them. */
static void take_set(struct discover *d, const struct slice *slice, struct events *ev)
{
	if (slice->masters.n) {
		d->masters = slice->masters;
		d->news = true;
		d->none_logged = false;
		return;
	}
	if (!d->none_logged)
		event(ev, LOG_LVL_WARN, "the cluster names no API server; the last list stays");
	d->none_logged = true;
}

/* The whole list is there: the watch comes next. */
static void take_list(struct discover *d, struct events *ev, uint64_t now)
{
	const struct strbuf *body = &d->answer.body;
	struct err err = {0};
	struct slice slice;

	if (slice_parse_list(strbuf_str(body), body->len, d->family, &slice, &err) < 0) {
		err_wrap(&err, "list");
		fail(d, ev, now, err.msg);
		return;
	}
	memcpy(d->version, slice.version, sizeof(d->version));
	stop(d);
	d->next = now;
	take_set(d, &slice, ev);
}

/* The watch has ended as it must now and then. */
static void watch_ended(struct discover *d, struct events *ev, uint64_t now)
{
	recovered(d, ev);
	stop(d);
	d->next = now + clock_spread(BACKOFF_MS);
}

/* One event; false when the watch is over. */
static bool take_event(struct discover *d, const char *line, size_t len, struct events *ev,
                       uint64_t now)
{
	struct err err = {0};
	struct slice slice;
	char why[192];

	if (slice_parse_event(line, len, d->family, &slice, &err) < 0) {
		snprintf(why, sizeof(why), "watch: %.180s", err.msg);
	} else if (slice.kind == SLICE_ERROR && slice.status == 410) {
		list_again(d, now);
		return false;
	} else if (slice.kind == SLICE_ERROR) {
		snprintf(why, sizeof(why), "watch: HTTP %d %s", slice.status, slice.text);
	} else {
		memcpy(d->version, slice.version, sizeof(d->version));
		if (slice.kind != SLICE_BOOKMARK)
			take_set(d, &slice, ev);
		recovered(d, ev);
		return true;
	}
	d->version[0] = '\0';
	fail(d, ev, now, why);
	return false;
}

/* An answer other than 200, at its end. */
static void refused(struct discover *d, struct events *ev, uint64_t now)
{
	const struct strbuf *body = &d->answer.body;
	char text[SLICE_TEXT_MAX], why[192];

	if (d->answer.status == 410 && d->watching) {
		list_again(d, now);
		return;
	}
	slice_parse_status(strbuf_str(body), body->len, text);
	snprintf(why, sizeof(why), "HTTP %d%s%.150s", d->answer.status, *text ? " " : "", text);
	d->version[0] = '\0';
	fail(d, ev, now, why);
}

static void watch_granted(struct discover *d, struct events *ev, uint64_t now)
{
	if (d->begun)
		return;
	d->begun = true;
	d->deadline = now + WATCH_S * 1500ull + GRACE_MS;
	if (!d->failed_watch) /* else its first event shows */
		recovered(d, ev);
}

/* What has come so far; false when the connection is done with. */
static bool take_answer(struct discover *d, struct events *ev, uint64_t now)
{
	struct answer *a = &d->answer;
	size_t len;

	if (a->status != 200 || !d->watching) {
		if (a->stage != ANSWER_COMPLETE)
			return true;
		if (a->status == 200)
			take_list(d, ev, now);
		else
			refused(d, ev, now);
		return false;
	}
	watch_granted(d, ev, now);
	while ((len = answer_line(a))) {
		if (!take_event(d, a->body.buf, len, ev, now))
			return false;
		strbuf_consume(&a->body, len);
	}
	if (a->stage != ANSWER_COMPLETE)
		return true;
	watch_ended(d, ev, now);
	return false;
}

static void receive(struct discover *d, struct events *ev, uint64_t now)
{
	const char *what = d->watching ? "watch" : "list";
	char piece[PIECE];
	struct err err = {0};

	d->more = false;
	for (int i = 0; i < PIECES; i++) {
		int n = tls_read(d->tls, piece, sizeof(piece));

		if (n < 0) {
			blocked(d, ev, now, what, n);
			return;
		}
		if (n == 0 ? answer_closed(&d->answer, &err) < 0
		           : answer_take(&d->answer, piece, (size_t)n, &err) < 0) {
			err_wrap(&err, "%s", what);
			fail(d, ev, now, err.msg);
			return;
		}
		if (!take_answer(d, ev, now))
			return;
	}
	d->more = true;
}

static void send_request(struct discover *d, struct events *ev, uint64_t now)
{
	while (d->sent < d->len) {
		int n = tls_write(d->tls, d->request + d->sent, d->len - d->sent);

		if (n < 0) {
			blocked(d, ev, now, "request", n);
			return;
		}
		d->sent += (size_t)n;
	}
	d->stage = DISCOVER_RECEIVE;
	receive(d, ev, now);
}

static void handshake(struct discover *d, struct events *ev, uint64_t now)
{
	int rc = tls_handshake(d->tls);

	if (rc < 0) {
		blocked(d, ev, now, "TLS", rc);
		return;
	}
	d->stage = DISCOVER_SEND;
	send_request(d, ev, now);
}

static void connected(struct discover *d, struct events *ev, uint64_t now)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error) {
		fail_errno(d, ev, now, "connect", error);
		return;
	}
	d->stage = DISCOVER_TLS;
	handshake(d, ev, now);
}

void discover_ready(struct discover *d, struct events *ev, uint64_t now)
{
	switch (d->stage) {
	case DISCOVER_IDLE: /* ended earlier in the same round */
		return;
	case DISCOVER_CONNECT:
		connected(d, ev, now);
		return;
	case DISCOVER_TLS:
		handshake(d, ev, now);
		return;
	case DISCOVER_SEND:
		send_request(d, ev, now);
		return;
	case DISCOVER_RECEIVE:
		receive(d, ev, now);
		return;
	}
}

const struct addrs *discover_news(struct discover *d)
{
	if (!d->news)
		return NULL;
	d->news = false;
	return &d->masters;
}
