// SPDX-License-Identifier: Apache-2.0
#include "certcheck.h"

#include "json.h"
#include "strbuf.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_S        3600LL
#define DAY_S         (24 * HOUR_S)
#define YEAR_H        8760LL
#define DEFAULT_H     (99 * YEAR_H)
#define SOON_S        (30 * DAY_S)
#define SLACK_S       (2 * DAY_S) /* leap days and clocks that differ */
#define KUBELET_FILES "/var/lib/kubelet/"

/* "8760h0m0s", as Go writes a duration; 0: another form. */
static long long hours(const char *s)
{
	char *end;
	long long h = strtoll(s, &end, 10);

	return end != s && *end == 'h' && h > 0 ? h : 0;
}

static long long life_of(const json_t *configuration, const char *field)
{
	const char *s = json_text(configuration, field);

	return *s ? hours(s) : DEFAULT_H;
}

struct cert_lives cert_lives_of(const json_t *configuration)
{
	return (struct cert_lives){.leaf = life_of(configuration, "certificateValidityPeriod"),
	                           .ca = life_of(configuration, "caCertificateValidityPeriod")};
}

void cert_life_text(long long seconds, struct strbuf *out)
{
	long long days = seconds / DAY_S;

	if (days >= 730)
		strbuf_addf(out, "%lld years", (seconds + SLACK_S * 15) / (YEAR_H * HOUR_S));
	else if (days >= 2)
		strbuf_addf(out, "%lld days", days);
	else
		strbuf_addf(out, "%lld hours", seconds / HOUR_S);
}

static long long number(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

/* Shown at a port and in no file. */
static bool made_by_itself(const json_t *row)
{
	const char *place = json_text(row, "place");

	return strncmp(place, "kube-controller-manager at ", 27) == 0 ||
	       strncmp(place, "kube-scheduler at ", 18) == 0;
}

static void judge_end(json_t *row, long long now, struct strbuf *problem)
{
	long long left = number(row, "ends") - now;

	json_object_set_new(row, "days", json_integer(left / DAY_S));
	if (made_by_itself(row))
		return;
	if (left <= 0)
		strbuf_addstr(problem, "it has ended");
	else if (left < SOON_S && number(row, "ends") - number(row, "begins") > 2 * SOON_S)
		strbuf_addf(problem, "it ends in %lld days", left / DAY_S);
	else if (number(row, "begins") > now)
		strbuf_addstr(problem, "it does not begin yet");
}

/* Of kubeadm's own files alone: kubelets' are signed for as long as the controller manager wants.
 */
static void judge_life(json_t *row, const struct cert_lives *lives)
{
	long long life = number(row, "ends") - number(row, "begins");
	long long want = (json_flag(row, "ca") ? lives->ca : lives->leaf) * HOUR_S;
	auto_strbuf note = {0};

	if (json_flag(row, "port") || strstr(json_text(row, "place"), KUBELET_FILES) ||
	    life + SLACK_S >= want)
		return;
	strbuf_addstr(&note, "it lives ");
	cert_life_text(life, &note);
	strbuf_addstr(&note, ", the configuration says ");
	cert_life_text(want, &note);
	json_object_set_new(row, "note", json_string(strbuf_str(&note)));
}

size_t cert_judge(json_t *answer, const struct cert_lives *lives)
{
	long long now = number(answer, "now");
	size_t i, n = 0;
	json_t *row;

	json_array_foreach (json_object_get(answer, "certificates"), i, row) {
		auto_strbuf problem = {0};

		if (json_object_get(row, "ends")) {
			judge_end(row, now, &problem);
			judge_life(row, lives);
		}
		if (problem.len && !*json_text(row, "problem"))
			json_object_set_new(row, "problem", json_string(strbuf_str(&problem)));
		n += *json_text(row, "problem") != '\0';
	}
	return n;
}
