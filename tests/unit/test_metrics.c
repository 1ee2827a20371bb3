/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "serve/metrics.h"
#include "strbuf.h"
#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START     5000 /* ms */
#define auto_pool __attribute__((cleanup(pool_release))) struct pool

static struct addr address(unsigned last)
{
	struct addr a = {.family = AF_INET, .port = 6443, .bytes = {10, 0, 0, (uint8_t)last}};

	return a;
}

static void setup(struct pool *p, struct metrics *m, size_t n)
{
	struct addr rs[DESTS_MAX];

	for (size_t i = 0; i < n; i++)
		rs[i] = address((unsigned)i + 1);
	pool_init(p, rs, n, 2, 2, START);
	metrics_init(m, START, 1000.5);
}

static char *text_of(const struct metrics *m, struct pool *p, uint64_t now)
{
	struct rules rules = {.scheduler = "rr", .vs = {.family = AF_INET, .port = 6443}};
	struct strbuf out = {0};

	pool_rules(p, &rules, START);
	metrics_text(m, p, &rules, now, 2000.25, &out);
	return strbuf_detach(&out);
}

static void has(const char *text, const char *line)
{
	auto_strbuf whole = {0};

	strbuf_addf(&whole, "\n%s\n", line);
	if (!strstr(text, strbuf_str(&whole)))
		fail_msg("no line %s in\n%s", line, text);
}

#define BUCKET "lvscare_probe_duration_seconds_bucket{server=\"10.0.0.1:6443\",le="

static void a_histogram(void **state)
{
	static const unsigned ms[] = {0, 5, 6, 250, 251, 10000, 10001};
	struct probe_result r = {.verdict = VERDICT_READY, .text = "HTTP 200"};
	struct metrics m = {0};
	auto_pool p = {0};
	char *text;

	(void)state;
	setup(&p, &m, 1);
	for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++)
		server_count_probe(p.server[0], &r, ms[i]);
	text = text_of(&m, &p, START);
	has(text, BUCKET "\"0.005\"} 2");
	has(text, BUCKET "\"0.01\"} 3");
	has(text, BUCKET "\"0.1\"} 3");
	has(text, BUCKET "\"0.25\"} 4");
	has(text, BUCKET "\"0.5\"} 5");
	has(text, BUCKET "\"2.5\"} 5");
	has(text, BUCKET "\"10\"} 6");
	has(text, BUCKET "\"+Inf\"} 7");
	has(text, "lvscare_probe_duration_seconds_count{server=\"10.0.0.1:6443\"} 7");
	has(text, "lvscare_probe_duration_seconds_sum{server=\"10.0.0.1:6443\"} 20.513");
	free(text);
}

static void states_and_probes(void **state)
{
	struct probe_result dead = {.verdict = VERDICT_REFUSED, .text = "connect: refused"};
	struct probe_result ready = {.verdict = VERDICT_READY, .text = "HTTP 200"};
	struct metrics m = {0};
	auto_pool p = {0};
	char *text;

	(void)state;
	setup(&p, &m, 2);
	text = text_of(&m, &p, START); /* all series are there from the start */
	has(text, "lvscare_probes_total{server=\"10.0.0.2:6443\",result=\"ready\"} 0");
	has(text, "lvscare_transitions_total{server=\"10.0.0.2:6443\",state=\"down\"} 0");
	has(text, "lvscare_real_server_state{server=\"10.0.0.2:6443\",state=\"new\"} 1");
	has(text, "lvscare_last_reconcile_timestamp_seconds 0.000");
	has(text, "process_start_time_seconds 1000.500");
	has(text, "lvscare_backend_info{backend=\"none\"} 1");
	has(text, "lvscare_build_info{version=\"" KUBECASK_VERSION "\"} 1");
	free(text);
	assert_true(pool_probed(&p, p.server[0], VERDICT_READY, true, START));
	server_count_probe(p.server[0], &ready, 3);
	server_count_state(p.server[0], "HTTP 200", START + 10);
	assert_true(pool_probed(&p, p.server[1], VERDICT_REFUSED, true, START));
	server_count_probe(p.server[1], &dead, 1);
	server_count_state(p.server[1], "kept connection: closed", START + 20);
	text = text_of(&m, &p, START + 30);
	has(text, "lvscare_real_server_state{server=\"10.0.0.1:6443\",state=\"up\"} 1");
	has(text, "lvscare_real_server_state{server=\"10.0.0.2:6443\",state=\"down\"} 1");
	has(text, "lvscare_real_server_state{server=\"10.0.0.2:6443\",state=\"up\"} 0");
	has(text, "lvscare_real_server_weight{server=\"10.0.0.1:6443\"} 1");
	has(text, "lvscare_real_server_weight{server=\"10.0.0.2:6443\"} 0");
	has(text, "lvscare_probes_total{server=\"10.0.0.2:6443\",result=\"refused\"} 1");
	has(text, "lvscare_transitions_total{server=\"10.0.0.2:6443\",state=\"down\"} 1");
	assert_string_equal(p.server[1]->stats.text, "kept connection: closed");
	assert_int_equal(p.server[1]->stats.since, START + 20);
	free(text);
}

static void repairs_are_what_others_broke(void **state)
{
	struct metrics m = {0};
	struct events ev;
	auto_pool p = {0};
	char *text;

	(void)state;
	setup(&p, &m, 1);
	events_init(&ev, 0);
	ev.changed[CHANGE_REAL_SERVER] = 3;
	metrics_reconciled(&m, &ev, true, false, START + 1); /* the first rules */
	ev.changed[CHANGE_REAL_SERVER] = 4;
	metrics_reconciled(&m, &ev, true, true, START + 2); /* a server went down */
	ev.changed[CHANGE_REAL_SERVER] = 6;
	ev.changed[CHANGE_ROUTE] = 1;
	metrics_reconciled(&m, &ev, true, false, START + 3);
	metrics_reconciled(&m, &ev, false, false, START + 1003);
	text = text_of(&m, &p, START + 1003);
	has(text, "lvscare_repairs_total{object=\"real_server\"} 2");
	has(text, "lvscare_repairs_total{object=\"route\"} 1");
	has(text, "lvscare_repairs_total{object=\"virtual_server\"} 0");
	has(text, "lvscare_repairs_total{object=\"sysctl\"} 0");
	has(text, "lvscare_no_way 0");
	has(text, "lvscare_reconcile_failures_total 1");
	has(text, "lvscare_last_reconcile_timestamp_seconds 1999.250"); /* a second before now */
	free(text);
}

/* Each sample belongs to the family announced above it, and each family is announced once. */
static void the_format(void **state)
{
	struct metrics m = {0};
	auto_pool p = {0};
	char *text, *next, *line, family[128] = "";

	(void)state;
	setup(&p, &m, 3);
	server_count_probe(p.server[1], &(struct probe_result){0}, 1);
	text = next = text_of(&m, &p, START);
	assert_int_equal(text[strlen(text) - 1], '\n');
	while ((line = strsep(&next, "\n")) && *line) {
		if (strncmp(line, "# HELP ", 7) == 0) {
			snprintf(family, sizeof(family), "%.*s", (int)strcspn(line + 7, " "),
			         line + 7);
			assert_true(line[strlen(line) - 1] == '.');
		} else if (strncmp(line, "# TYPE ", 7) == 0) {
			assert_memory_equal(line + 7, family, strlen(family));
		} else {
			assert_memory_equal(line, family, strlen(family));
			assert_non_null(strrchr(line, ' '));
		}
	}
	free(text);
}

static char *read_file(const char *path)
{
	struct strbuf sb = {0};
	struct err err;

	if (fs_read(path, 1u << 20, &sb, &err) < 0)
		fail_msg("%s (tests run in the project's folder)", err.msg);
	return strbuf_detach(&sb);
}

static char *all_metrics(void)
{
	struct metrics m = {0};
	auto_pool p = {0};

	setup(&p, &m, 1);
	server_count_probe(p.server[0], &(struct probe_result){0}, 1);
	return text_of(&m, &p, START);
}

/* What the documentation, the dashboard and the alerts ask for is there. */
static void names_in_the_documentation(void **state)
{
	static const char *const files[] = {"docs/lvscare.md", "docs/lvscare/alerts.yaml",
	                                    "docs/lvscare/dashboard.json"};
	auto_free char *text = all_metrics();

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		auto_free char *file = read_file(files[i]);
		size_t found = 0;

		for (char *at = file; (at = strstr(at, "lvscare_")); found++) {
			size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
			auto_strbuf sample = {0};

			strbuf_addf(&sample, "\n%.*s", (int)len, at);
			if (!strstr(text, strbuf_str(&sample)))
				fail_msg("%s: there is no metric %s", files[i],
				         strbuf_str(&sample) + 1);
			at += len;
		}
		assert_true(found > 2);
	}
}

/* And what is there is documented, with its type. */
static void every_metric_is_documented(void **state)
{
	auto_free char *text = all_metrics();
	auto_free char *doc = read_file("docs/lvscare.md");
	char *next = text, *line;

	(void)state;
	while ((line = strsep(&next, "\n")) && *line) {
		char name[100], type[20];
		auto_strbuf row = {0};

		if (sscanf(line, "# TYPE %99s %19s", name, type) != 2)
			continue;
		strbuf_addf(&row, "\n| %s | %s |", name, type);
		if (!strstr(doc, strbuf_str(&row)))
			fail_msg("docs/lvscare.md has no row%s", strbuf_str(&row));
	}
}

static void the_dashboard(void **state)
{
	json_t *d = json_load_file("docs/lvscare/dashboard.json", 0, NULL);
	json_t *panels = json_object_get(d, "panels"), *panel, *target;
	size_t i, j;

	(void)state;
	assert_non_null(json_string_value(json_object_get(d, "title")));
	assert_true(json_array_size(panels) > 5);
	json_array_foreach (panels, i, panel) {
		json_t *targets = json_object_get(panel, "targets");

		assert_int_equal(json_integer_value(json_object_get(panel, "id")), i + 1);
		assert_true(json_array_size(targets) > 0);
		json_array_foreach (targets, j, target)
			assert_non_null(
			    strstr(json_string_value(json_object_get(target, "expr")), "lvscare_"));
	}
	json_decref(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_histogram),
	    cmocka_unit_test(states_and_probes),
	    cmocka_unit_test(repairs_are_what_others_broke),
	    cmocka_unit_test(the_format),
	    cmocka_unit_test(names_in_the_documentation),
	    cmocka_unit_test(every_metric_is_documented),
	    cmocka_unit_test(the_dashboard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
