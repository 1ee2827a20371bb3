/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* What is said of a whole cluster. */
#include "health.h"

#include "etcd.h"
#include "json.h"
#include "unit.h"

#include <string.h>

#define GB "000000000"

/* Two masters and a worker, all of it well; in single quotes, for reading. */
static const char well[] =
    "{'cluster':{"
    " 'etcd':{'state':'running','quorum':true,'members':["
    "  {'id':'a','name':'m1','peer_urls':['https://10.0.0.1:2380'],'started':true,'alive':true,"
    "   'learner':false,'leader':'a','db_bytes':20000000,'quota_bytes':2" GB "},"
    "  {'id':'b','name':'m2','peer_urls':['https://10.0.0.12:2380'],'started':true,'alive':true,"
    "   'learner':false,'leader':'a','db_bytes':20000000,'quota_bytes':2" GB "}]},"
    " 'nodes':["
    "  {'name':'m1','address':'10.0.0.1','control_plane':true,'ready':true,'drained':false},"
    "  {'name':'m2','address':'10.0.0.12','control_plane':true,'ready':true,'drained':false},"
    "  {'name':'w1','address':'10.0.0.3','control_plane':false,'ready':true,'drained':false}]},"
    " 'api_servers':[{'node':'m1','address':'10.0.0.1','version':'v1.37.2'},"
    "                {'node':'m2','address':'10.0.0.12','version':'v1.37.2'}],"
    " 'lvscare':["
    "  {'node':'m1','good':true,'trouble':'','servers':["
    "   {'address':'10.0.0.1:6443','state':'up','said':'HTTP 200'},"
    "   {'address':'10.0.0.12:6443','state':'up','said':'HTTP 200'}]},"
    "  {'node':'w1','good':true,'trouble':'','servers':["
    "   {'address':'10.0.0.1:6443','state':'up','said':'HTTP 200'},"
    "   {'address':'10.0.0.12:6443','state':'up','said':'HTTP 200'}]}],"
    " 'disks':[{'node':'m1','bytes':100" GB ",'free':60" GB "},"
    "          {'node':'w1','bytes':100" GB ",'free':15" GB "}]}";

/* That text with old, which must be in it, replaced by new everywhere. */
static json_t *changed(const char *old, const char *new)
{
	char text[4096];
	size_t n = 0;
	const char *p = well;
	json_t *v;

	assert_true(!*old || strstr(well, old));
	while (*p) {
		size_t len = strlen(new);

		if (*old && strncmp(p, old, strlen(old)) == 0) {
			memcpy(text + n, new, len);
			n += len;
			p += strlen(old);
		} else {
			text[n++] = *p++;
		}
		assert_true(n < sizeof(text) - 200);
	}
	text[n] = '\0';
	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	v = json_loads(text, 0, NULL);
	assert_non_null(v);
	return v;
}

/* With that change, the sentences are these, joined by "|". */
static void says(const char *old, const char *new, const char *sentences)
{
	json_t *health = changed(old, new), *problems = health_problems(health), *p;
	char all[2000] = "";
	size_t i;

	json_array_foreach (problems, i, p)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? "|" : "",
		         json_string_value(p));
	assert_string_equal(all, sentences);
	json_decref(problems);
	json_decref(health);
}

static void nothing_is_wrong_with_a_well_cluster(void **state)
{
	(void)state;
	says("", "", "");
	/* another machine's etcd, the user's: not ours to judge */
	says("'state':'running','quorum':true,'members':[", "'state':'external','other':[", "");
}

static void api_servers_are_judged(void **state)
{
	(void)state;
	says("'address':'10.0.0.12','version':'v1.37.2'",
	     "'address':'10.0.0.12','error':'no route'",
	     "m2: its API server 10.0.0.12 does not answer: no route");
	says("'address':'10.0.0.12','version':'v1.37.2'",
	     "'address':'10.0.0.12','version':'v1.36.3'",
	     "m2: its API server runs v1.36.3, that of m1 v1.37.2: if no upgrade is at work, "
	     "one was cut off: repeat it");
	says(
	    "'address':'10.0.0.12','version':'v1.37.2'",
	    "'address':'10.0.0.12','version':'v1.37.2','emulates':'1.36'",
	    "m2: its API server runs v1.37.2 and works as 1.36: an upgrade is at work, is held, or "
	    "was cut off; install upgrade goes on, install rollback leads back");
	says("'address':'10.0.0.12','version':'v1.37.2'",
	     "'address':'10.0.0.12','version':'v1.37.2','emulates':'1.37'", "");
}

static void members_are_judged(void **state)
{
	(void)state;
	says("'alive':true,   'learner':false,'leader':'a','db_bytes':20000000,'quota_bytes':2" GB
	     "}]}",
	     "'alive':false,'learner':false}]}",
	     "etcd: its member m2 does not answer|"
	     "etcd: 1 of 2 members answer, which is no quorum: nothing can be written");
	says("'alive':true,   'learner':false,'leader':'a','db_bytes':20000000,'quota_bytes':2" GB
	     "}]}",
	     "'alive':true,'learner':true,'leader':'a'}]}",
	     "etcd: its member m2 has no vote yet: a join has not ended");
	says("'name':'m2','peer_urls':['https://10.0.0.12:2380'],'started':true,'alive':true",
	     "'name':'','peer_urls':['https://10.0.0.12:2380'],'started':false,'alive':true",
	     "etcd: its member b (m2) has not started yet: a join has not ended");
	says(
	    "https://10.0.0.12:2380", "https://10.0.0.13:2380",
	    "etcd: its member m2 is on no node of the cluster: install remove takes it out by that "
	    "name");
	says("'leader':'a'", "'leader':'0'",
	     "etcd: its member m1 knows no leader|etcd: its member m2 knows no leader");
	says("'learner':false,'leader':'a','db_bytes':20000000,'quota_bytes':2" GB "},",
	     "'learner':false,'errors':'[memberID:10 alarm:NOSPACE ]','db_bytes':1900000000,"
	     "'quota_bytes':2" GB "},",
	     "etcd: its member m1 says [memberID:10 alarm:NOSPACE ]|"
	     "etcd: the database of m1 has 1900 of the 2000 MB that it may have; beyond that it "
	     "refuses to write");
	says("'state':'running','quorum':true,'members':[",
	     "'state':'data','error':'refused','other':[",
	     "etcd: the member of this machine does not answer: refused");
	says("'quorum':true", "'quorum':false",
	     "etcd: 2 of 2 members answer, which is no quorum: nothing can be written");
}

static void what_lvscare_finds_is_said_once(void **state)
{
	(void)state;
	says("'10.0.0.12:6443','state':'up','said':'HTTP 200'",
	     "'10.0.0.12:6443','state':'down','said':'connect: refused'",
	     "lvscare on m1 and 1 more: the API server 10.0.0.12:6443 is down: connect: "
	     "refused");
	says("'node':'w1','good':true,'trouble':''", "'node':'w1','good':false,'trouble':'stuck'",
	     "lvscare on w1: stuck");
	says("'node':'w1','good':true,'trouble':''", "'node':'w1','good':false,'trouble':''",
	     "lvscare on w1: rules or route are missing");
	says("'node':'w1','good':true,'trouble':''", "'node':'w1','error':'pod not found'",
	     "lvscare on w1 does not say how it is: pod not found");
}

static void disks_and_runs_are_judged(void **state)
{
	(void)state;
	says("'free':15" GB, "'free':9" GB,
	     "w1: 9 % of its disk are free; kubelet removes images below 15 % and ends pods below "
	     "10 %");
	says("'bytes':100" GB ",'free':15" GB, "'error':'no time'",
	     "w1: the room on its disk is not known: no time");
	says("'cluster':{", "'cluster':{'interrupted':{'verb':'join','at':'2026-01-02T03:04:05Z'},",
	     "this machine: kubeadm join began at 2026-01-02T03:04:05Z and has not ended: if no "
	     "run is at work, repeat the command");
	says("'address':'10.0.0.3','control_plane':false,'ready':true,'drained':false",
	     "'address':'10.0.0.3','control_plane':false,'ready':true,'drained':true",
	     "w1: takes no pods, it was drained by a run that has not ended: if none is at "
	     "work, repeat that, or "
	     "kubectl uncordon w1");
}

static void answers_of_wrong_types_are_no_crash(void **state)
{
	static const char *const answers[] = {
	    "{}", "[]", "{\"cluster\":[],\"api_servers\":{},\"lvscare\":1,\"disks\":\"x\"}",
	    "{\"cluster\":{\"etcd\":{\"state\":\"running\",\"members\":[1,{},[]]},\"nodes\":[2,{}]}"
	    ","
	    "\"api_servers\":[3,{}],\"lvscare\":[4,{\"servers\":[5,{}]}],\"disks\":[6,{}]}"};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		json_t *health = json_loads(answers[i], 0, NULL);

		assert_non_null(health);
		json_decref(health_problems(health));
		json_decref(health);
	}
}

static void a_member_is_found_by_its_whole_address(void **state)
{
	json_t *health = changed("", "");
	json_t *node = json_pack("{ss}", "address", "10.0.0.1");
	json_t *six = json_pack("{s{s{s[{s[s]}]}}}", "cluster", "etcd", "members", "peer_urls",
	                        "https://[fd00::1]:2380");

	(void)state;
	assert_string_equal(json_text(health_member(health, node), "name"), "m1");
	json_object_set_new(node, "address", json_string("10.0.0.2"));
	assert_null(health_member(health, node));
	json_object_set_new(node, "address", json_string("fd00::1"));
	assert_non_null(health_member(six, node));
	json_object_set_new(node, "address", json_string("fd00::"));
	assert_null(health_member(six, node));
	json_decref(six);
	json_decref(node);
	json_decref(health);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_wrong_with_a_well_cluster),
	    cmocka_unit_test(api_servers_are_judged),
	    cmocka_unit_test(members_are_judged),
	    cmocka_unit_test(what_lvscare_finds_is_said_once),
	    cmocka_unit_test(disks_and_runs_are_judged),
	    cmocka_unit_test(answers_of_wrong_types_are_no_crash),
	    cmocka_unit_test(a_member_is_found_by_its_whole_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
