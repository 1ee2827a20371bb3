// SPDX-License-Identifier: Apache-2.0
#include "log.h"
#include "strbuf.h"
#include "unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char out[8192];

/* What one call of each level leaves on stderr. */
static void catch_lines(const char *text)
{
	char name[] = "/tmp/test_log.XXXXXX";
	int saved = dup(STDERR_FILENO), fd = mkstemp(name);
	ssize_t n;

	unlink(name);
	dup2(fd, STDERR_FILENO);
	log_error("%s", text);
	log_info("%d of %s", 2, text);
	log_debug("%s", text);
	dup2(saved, STDERR_FILENO);
	n = pread(fd, out, sizeof(out) - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	close(fd);
	close(saved);
}

static void text_lines(void **state)
{
	(void)state;
	log_init("prog", LOG_LVL_INFO);
	catch_lines("words");
	assert_string_equal(out, "prog: words\nprog: 2 of words\n");
}

static json_t *next_object(char **at)
{
	char *line = strsep(at, "\n");
	json_t *o = json_loads(line, 0, NULL);

	assert_non_null(o);
	return o;
}

static const char *field(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static void json_lines(void **state)
{
	char *at = out;
	json_t *o;

	(void)state;
	log_init("prog", LOG_LVL_INFO);
	log_json(true);
	catch_lines("a \"b\"\n\x1b[31m\xff");
	log_json(false);
	o = next_object(&at);
	assert_string_equal(field(o, "level"), "error");
	assert_string_equal(field(o, "msg"), "a \"b\"\n\x1b[31m\xef\xbf\xbd");
	assert_int_equal(strlen(field(o, "time")), strlen("2026-01-31T23:59:59.999Z"));
	assert_int_equal(field(o, "time")[10], 'T');
	assert_int_equal(field(o, "time")[23], 'Z');
	assert_int_equal(json_object_size(o), 3);
	json_decref(o);
	o = next_object(&at);
	assert_string_equal(field(o, "level"), "info");
	json_decref(o);
	assert_string_equal(at, ""); /* the level counts */
}

static void long_lines_stay_objects(void **state)
{
	static char text[6000];
	char *at = out;
	json_t *o;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	log_init("prog", LOG_LVL_ERROR);
	log_json(true);
	catch_lines(text);
	log_json(false);
	o = next_object(&at);
	assert_true(strlen(field(o, "msg")) >= 2000);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_lines),
	    cmocka_unit_test(json_lines),
	    cmocka_unit_test(long_lines_stay_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
