/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* What is said of certificates. */
#include "certcheck.h"

#include "json.h"
#include "strbuf.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define DAY  86400LL
#define YEAR (365 * DAY)
#define NOW  (60 * YEAR)

/* What is said of a certificate of this place that begins and ends at these times from now. */
static void says(const char *place, bool ca, long long begins, long long ends,
                 const struct cert_lives *lives, const char *problem, const char *note)
{
	json_t *answer = json_pack("{sI s[{ss sb sb sI sI}]}", "now", (json_int_t)NOW,
	                           "certificates", "place", place, "port",
	                           strstr(place, " at ") != NULL, "ca", ca, "begins",
	                           (json_int_t)(NOW + begins), "ends", (json_int_t)(NOW + ends));
	const json_t *row = json_array_get(json_object_get(answer, "certificates"), 0);

	assert_int_equal(cert_judge(answer, lives), *problem ? 1 : 0);
	assert_string_equal(json_text(row, "problem"), problem);
	assert_string_equal(json_text(row, "note"), note);
	assert_int_equal(json_integer_value(json_object_get(row, "days")), ends / DAY);
	json_decref(answer);
}

static void ends(void **state)
{
	const struct cert_lives lives = cert_lives_of(NULL);
	static const char file[] = "/etc/kubernetes/pki/apiserver.crt";
	static const char shown[] = "kube-apiserver at 10.0.0.1:6443";

	(void)state;
	says(file, false, -DAY, 99 * YEAR, &lives, "", "");
	says(file, false, -99 * YEAR, -DAY, &lives, "it has ended", "");
	says(file, false, -99 * YEAR, 29 * DAY, &lives, "it ends in 29 days", "");
	says(file, false, -99 * YEAR, 31 * DAY, &lives, "", "");
	says(file, false, DAY, 100 * YEAR, &lives, "it does not begin yet", "");
	says("/var/lib/kubelet/pki/kubelet-client-current.pem", false, 0, DAY, &lives, "", "");
	says("kube-scheduler at 127.0.0.1:10259", false, -YEAR, -DAY, &lives, "", "");
	says(shown, false, -99 * YEAR, -DAY, &lives, "it has ended", "");
}

static void lives(void **state)
{
	json_t *year = json_pack("{ss ss}", "certificateValidityPeriod", "8760h0m0s",
	                         "caCertificateValidityPeriod", "87600h");
	json_t *odd = json_pack("{ss}", "certificateValidityPeriod", "soon");
	const struct cert_lives none = {0}, all = cert_lives_of(NULL), one = cert_lives_of(year),
				unknown = cert_lives_of(odd);
	static const char file[] = "/etc/kubernetes/pki/x.crt";

	(void)state;
	assert_int_equal(all.leaf, 867240);
	assert_int_equal(one.leaf, 8760);
	assert_int_equal(one.ca, 87600);
	assert_int_equal(unknown.leaf, 0);
	says(file, false, 0, YEAR, &all, "", "it lives 365 days, the configuration says 99 years");
	says(file, false, 0, YEAR, &one, "", "");
	says(file, true, 0, YEAR, &one, "", "it lives 365 days, the configuration says 10 years");
	says(file, false, 0, YEAR, &none, "", "");
	json_decref(year);
	json_decref(odd);
}

/* What the machine itself has found stays; a file without a certificate has no end. */
static void found_there(void **state)
{
	const struct cert_lives l = {0};
	json_t *answer = json_pack("{sI s[{ss ss}{ss ss si si}]}", "now", (json_int_t)NOW,
	                           "certificates", "place", "a", "problem",
	                           "there is no certificate in it", "place", "b", "problem",
	                           "it is not signed by ca.crt", "begins", 1, "ends", 2);
	const json_t *list = json_object_get(answer, "certificates");

	(void)state;
	assert_int_equal(cert_judge(answer, &l), 2);
	assert_string_equal(json_text(json_array_get(list, 1), "problem"),
	                    "it is not signed by ca.crt");
	json_decref(answer);
}

static void life_in_words(void **state)
{
	static const struct {
		long long seconds;
		const char *text;
	} t[] = {{99 * YEAR, "99 years"},
	         {10 * YEAR - 1, "10 years"},
	         {364 * DAY, "364 days"},
	         {5 * 3600, "5 hours"},
	         {3 * YEAR, "3 years"}};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		auto_strbuf text = {0};

		cert_life_text(t[i].seconds, &text);
		assert_string_equal(strbuf_str(&text), t[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ends),
	    cmocka_unit_test(lives),
	    cmocka_unit_test(found_there),
	    cmocka_unit_test(life_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
