/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "clusterconfig.h"
#include "config.h"
#include "err.h"
#include "mem.h"
#include "preflight.h"
#include "strbuf.h"
#include "unit.h"

#include <string.h>

#define GIB (1024LL * 1024 * 1024)

static const struct space need[2] = {{100 << 20, 100 << 20}, {GIB, GIB}};

/* A machine with which nothing is wrong. */
static json_t *good(const char *name)
{
	static const char *const paths[] = {"/opt/kubecask",    "/usr/local/bin",
	                                    "/var/lib/kubelet", "/var/lib/containerd",
	                                    "/var/lib/etcd",    "/etc"};
	json_t *facts = json_pack(
	    "{si sb sb si si sb s[{ss ss}] s[{ss ss}{ss ss}] ss ss ss sI s{} s{} sb}", "uid", 0,
	    "systemd", 1, "cgroup2", 1, "cpus", 4, "memory_mib", 4000, "nameserver", 1, "addresses",
	    "address", "10.0.0.1", "device", "eth0", "routes", "to", "10.0.0.0/24", "device",
	    "eth0", "to", "0.0.0.0/0", "device", "eth0", "default_source", "10.0.0.1", "hostname",
	    name, "kernel", "6.1", "time_ms", (json_int_t)1000000, "state", "disks", "flannel", 1);

	json_object_set_new(facts, "machine_id", json_sprintf("id-%s", name));
	if (strcmp(name, "a") != 0) {
		json_object_set_new(facts, "default_source", json_string("10.0.0.2"));
		json_object_set_new(
		    facts, "addresses",
		    json_pack("[{ss ss}]", "address", "10.0.0.2", "device", "eth0"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		json_object_set_new(
		    json_object_get(facts, "disks"), paths[i],
		    json_pack("{sI sI sI sI sI sb ss ss}", "free", (json_int_t)(10 * GIB), "total",
		              (json_int_t)(20 * GIB), "inodes", (json_int_t)1000000, "inodes_free",
		              (json_int_t)900000, "dev", (json_int_t)(i ? 2 : 1), "at_boot", 1,
		              "mount", i ? "/" : "/opt", "type", "ext4"));
	return facts;
}

static struct candidate candidate(json_t *facts, bool master)
{
	return (struct candidate){
	    .name = master ? "a" : "b",
	    .facts = facts,
	    .master = master,
	    .asked_ms = 999990,
	    .answered_ms = 1000010,
	};
}

/* The findings of one machine whose fact key has this value (taken over); master or not. */
static struct findings check(const char *key, json_t *value, bool master)
{
	json_t *facts = good("a");
	struct findings f;

	if (key)
		json_object_set_new(facts, key, value);
	struct candidate c = candidate(facts, master);

	preflight(&c, 1, &cfg, need, NULL, &f);
	json_decref(facts);
	return f;
}

/* The findings of one machine whose file system of that path has this member. */
static struct findings check_disk(const char *path, const char *key, json_t *value)
{
	json_t *facts = good("a"), *disks = json_object_get(facts, "disks");
	struct findings f;

	json_object_set_new(json_object_get(disks, path), key, value);
	f = check("disks", json_deep_copy(disks), true);
	json_decref(facts);
	return f;
}

/* Without information. */
static const struct finding *first(const struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!f->v[i].info)
			return &f->v[i];
	return NULL;
}

/* One finding of that check, an error or not, whose text has part. */
static void one(struct findings f, const char *name, bool error, const char *part)
{
	if (findings_worth(&f) != 1)
		findings_print(&f, stderr);
	assert_int_equal(findings_worth(&f), 1);
	assert_string_equal(first(&f)->check, name);
	assert_int_equal(first(&f)->error, error);
	if (!strstr(first(&f)->text, part))
		fail_msg("%s", first(&f)->text);
	assert_true(*first(&f)->fix); /* each has a way out */
	findings_release(&f);
}

static void nothing_wrong(void **state)
{
	struct findings f = check(NULL, NULL, true);

	(void)state;
	assert_int_equal(findings_worth(&f), 0);
	findings_release(&f);
}

static void system_checks(void **state)
{
	(void)state;
	one(check("uid", json_integer(1000), true), "Root", true, "sudo");
	one(check("systemd", json_false(), true), "Systemd", true, "not running");
	one(check("cgroup2", json_false(), true), "Cgroup2", true, "cgroup v2");
	one(check("modules_missing", json_pack("[ss]", "ip_vs", "overlay"), true), "Kernel", true,
	    "kernel 6.1 has no ip_vs, overlay");
	one(check("nameserver", json_false(), true), "DNS", false, "resolv.conf");
	one(check("swap", json_pack("[s]", "/dev/sda2"), true), "Swap", true, "/dev/sda2");
	one(check("ports_busy", json_pack("[i]", 10250), false), "Port", true,
	    "port 10250 is in use");
	one(check("ports_busy", json_pack("[i]", 10297), false), "Port", true,
	    "port 10297 is in use");
	one(check("state", json_pack("{ss}", "damaged", "state.json: damaged"), true), "State",
	    true, "state.json: damaged");
	one(check("foreign", json_pack("[s]", "/usr/bin/kubelet"), true), "Foreign", true,
	    "/usr/bin/kubelet");
}

static void a_worker_needs_fewer_ports(void **state)
{
	struct findings f = check("ports_busy", json_pack("[ii]", 6443, 2379), false);

	(void)state;
	assert_int_equal(findings_worth(&f), 0);
	findings_release(&f);
	f = check("ports_busy", json_pack("[ii]", 6443, 2379), true);
	assert_int_equal(findings_errors(&f), 2);
	findings_release(&f);
}

static void clocks(void **state)
{
	struct findings f = check("time_ms", json_integer(1004000), true);

	(void)state;
	assert_int_equal(findings_worth(&f), 0);
	findings_release(&f);
	one(check("time_ms", json_integer(1006000), true), "TimeSkew", false, "5 s ahead");
	one(check("time_ms", json_integer(1000000 - 61000), true), "TimeSkew", true, "60 s behind");
}

static void disks(void **state)
{
	struct findings f;

	(void)state;
	one(check_disk("/opt/kubecask", "free", json_integer(GIB / 2)), "Disk", true,
	    "/opt/kubecask: 512 MiB free, 1024 MiB needed");
	one(check_disk("/var/lib/containerd", "free", json_integer(GIB / 2)), "Disk", true,
	    "/var/lib/containerd and /var/lib/etcd together: 512 MiB free, 1536 MiB needed");
	one(check_disk("/opt/kubecask", "readonly", json_true()), "ReadOnly", true,
	    "/opt/kubecask is mounted read-only (/opt)");
	one(check_disk("/usr/local/bin", "readonly", json_true()), "ReadOnly", false,
	    "/usr/local/bin is mounted read-only");
	one(check_disk("/opt/kubecask", "noexec", json_true()), "NoExec", true, "noexec");
	one(check_disk("/var/lib/kubelet", "noexec", json_true()), "NoExec", false, "volumes");
	one(check_disk("/opt/kubecask", "at_boot", json_false()), "Mount", false,
	    "/opt is a file system of its own that neither /etc/fstab");
	one(check_disk("/opt/kubecask", "type", json_string("tmpfs")), "Mount", false, "in memory");
	f = check("pod_log_mounts", json_pack("[is]", 7, "/var/log/pods/a;reboot"), true);
	for (size_t i = 0; i < f.n; i++)
		if (strcmp(f.v[i].check, "Mount") == 0)
			assert_non_null(strstr(f.v[i].fix, "umount '/var/log/pods/a;reboot' "));
	one(f, "Mount", true, "/var/log/pods/a;reboot is a mount");
	one(check("pod_log_mounts", json_pack("[s]", "/var/log/pods/mine"), true), "Mount", true,
	    "/var/log/pods/mine is a mount below /var/log/pods: kubelet removes");
	one(check_disk("/var/lib/containerd", "inodes_free", json_integer(60000)), "Inodes", true,
	    "60000 inodes free of 1000000, 70000 needed");
}

static json_t *routes(const char *one, const char *other)
{
	return json_pack("[{ss ss}{ss ss}]", "to", one, "device", "eth9", "to", other, "device",
	                 "eth9");
}

static void services_have_a_route(void **state)
{
	struct findings f = check("routes", routes("10.0.0.0/24", "10.96.0.0/12"), true);

	(void)state;
	assert_int_equal(findings_worth(&f), 0);
	findings_release(&f);
	one(check("routes", routes("10.0.0.0/24", "::/0"), true), "Route", false,
	    "no default IPv4 route: programs of the machine itself");
	/* a network of the machine's own is no such route */
	json_t *facts = good("a");
	struct candidate c = candidate(facts, true);

	json_object_set_new(facts, "routes", routes("0.0.0.0/0", "10.96.0.0/12"));
	json_object_set_new(facts, "addresses",
	                    json_pack("[{ss ss}]", "address", "10.96.0.7", "device", "eth9"));
	json_object_set_new(facts, "default_source", json_string("10.96.0.7"));
	preflight(&c, 1, &cfg, need, NULL, &f);
	one(f, "Networks", true, "its network 10.96.0.0/12 (eth9) overlaps the service range");
	json_decref(facts);
}

static void virtual_ip(void **state)
{
	static const struct strlist none;
	struct cluster_config saved = cfg;
	struct err err = {0};

	(void)state;
	one(check("addresses", json_pack("[{ss ss}]", "address", "169.254.97.2", "device", "eth9"),
	          true),
	    "VIP", true, "is an address of this machine (eth9)");
	one(check("routes", routes("169.254.0.0/16", "0.0.0.0/0"), true), "VIP", true,
	    "lies inside the network of eth9, 169.254.0.0/16");
	one(check("routes", routes("10.244.7.0/24", "0.0.0.0/0"), true), "Networks", true,
	    "10.244.7.0/24 (eth9) overlaps the pod range 10.244.0.0/16");
	assert_int_equal(cluster_config_init(&cfg, &(struct config_choice){.vip = "10.96.3.4"},
	                                     "v1.37.2", &none, &err),
	                 0);
	one(check(NULL, NULL, true), "VIP", true,
	    "the virtual IP 10.96.3.4 lies inside the service range 10.96.0.0/12");
	cluster_config_release(&cfg);
	cfg = saved;
}

static void twins(void **state)
{
	json_t *a = good("a"), *b = good("b");
	struct candidate c[] = {candidate(a, true), candidate(b, false)};
	struct findings f;

	(void)state;
	json_object_set_new(b, "hostname", json_string("A")); /* case does not tell names apart */
	preflight(c, 2, &cfg, need, NULL, &f);
	one(f, "Hostname", true, "hostname A is also that of a");
	c[1].node_name = "b"; /* of --hosts */
	preflight(c, 2, &cfg, need, NULL, &f);
	assert_int_equal(findings_worth(&f), 0);
	findings_release(&f);
	c[1].node_name = NULL;
	json_object_set_new(b, "hostname", json_string("b"));
	json_object_set_new(b, "machine_id", json_string("id-a"));
	preflight(c, 2, &cfg, need, NULL, &f);
	one(f, "MachineID", true, "machine-id id-a is also that of a");
	json_decref(a);
	json_decref(b);
}

static void member_of(json_t *facts, const char *ca)
{
	json_object_set_new(facts, "kubelet_conf", json_true());
	json_object_set_new(facts, "ours", json_true());
	json_object_set_new(facts, "ca", json_string(ca));
	json_object_set_new(facts, "ports_busy", json_pack("[iii]", 6443, 2379, 10250));
}

static void states(void **state)
{
	json_t *facts = good("a");
	struct candidate c = candidate(facts, true);

	(void)state;
	assert_int_equal(candidate_state(&c), NODE_FRESH);
	json_object_set_new(facts, "kubelet_conf", json_true());
	assert_int_equal(candidate_state(&c), NODE_FOREIGN);
	json_object_set_new(facts, "ours", json_true());
	assert_int_equal(candidate_state(&c), NODE_MEMBER);
	json_object_set_new(json_object_get(facts, "state"), "kubeadm",
	                    json_string("join-started"));
	assert_int_equal(candidate_state(&c), NODE_HALF);
	json_decref(facts);
}

static void membership(void **state)
{
	json_t *a = good("a"), *b = good("b");
	struct candidate c[] = {candidate(a, true), candidate(b, false)};
	struct findings f;

	(void)state;
	member_of(a, "sha256:1");
	member_of(b, "sha256:1");
	json_object_set_new(b, "cpus", json_integer(1));
	json_object_set_new(a, "cpus", json_integer(1));
	/* of members size, ports and disks are not asked */
	preflight(c, 2, &cfg, need, NULL, &f);
	assert_int_equal(findings_worth(&f), 0);
	findings_release(&f);
	json_object_set_new(b, "ca", json_string("sha256:2"));
	preflight(c, 2, &cfg, need, NULL, &f);
	one(f, "Cluster", true, "another cluster than a");
	preflight(c + 1, 1, &cfg, need, NULL, &f);
	one(f, "Cluster", true, "no given master is");
	c[1].alone = true;
	preflight(c + 1, 1, &cfg, need, NULL, &f);
	assert_int_equal(findings_worth(&f), 0);
	findings_release(&f);
	c[1].alone = false;
	json_object_set_new(b, "ours", json_false());
	preflight(c, 2, &cfg, need, NULL, &f);
	assert_string_equal(first(&f)->check, "Cluster");
	assert_non_null(strstr(first(&f)->text, "not made by kubecask"));
	findings_release(&f);
	json_decref(a);
	json_decref(b);
}

static void ignored(void **state)
{
	json_t *facts = good("a");
	struct candidate c = candidate(facts, true);
	auto_strlist names = {0};
	struct findings f;

	(void)state;
	json_object_set_new(facts, "cgroup2", json_false());
	json_object_set_new(facts, "swap", json_pack("[s]", "/dev/sda2"));
	strlist_add(&names, "swap");
	preflight(&c, 1, &cfg, need, &names, &f);
	assert_int_equal(findings_worth(&f), 2);
	assert_int_equal(findings_errors(&f), 1);
	findings_release(&f);
	strlist_add(&names, "all");
	preflight(&c, 1, &cfg, need, &names, &f);
	assert_int_equal(findings_errors(&f), 0);
	findings_release(&f);
	json_decref(facts);
}

static void addresses(void **state)
{
	json_t *facts = good("a");
	struct candidate c = candidate(facts, true);
	struct addr given = {.family = AF_INET, .bytes = {10, 0, 0, 1}, .port = 22};
	struct addr nat = {.family = AF_INET, .bytes = {192, 0, 2, 1}, .port = 22};
	struct findings f;
	char buf[64];

	(void)state;
	c.addr = &given;
	assert_string_equal(candidate_address(&c, buf), "10.0.0.1");
	c.addr = &nat;
	assert_string_equal(candidate_address(&c, buf), "10.0.0.1");
	preflight(&c, 1, &cfg, need, NULL, &f);
	one(f, "Address", false,
	    "192.0.2.1 is not an address of its own; it will be known as 10.0.0.1");
	json_decref(facts);
}

/* A node may answer anything: nothing but findings comes of it. */
static void hostile_facts(void **state)
{
	static const char *const texts[] = {
	    "{}",
	    "{\"addresses\":5,\"routes\":{},\"disk_opt\":[],\"foreign\":\"x\",\"state\":1}",
	    "{\"addresses\":[1,{}],\"routes\":[{\"to\":3}],\"foreign\":[1,null],\"hostname\":[]}",
	    "{\"kernel\":\"\\u001b[2J\",\"modules_missing\":[\"\\u0007\"],\"swap\":[1]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *facts = json_loads(texts[i], 0, NULL);
		struct candidate c = {.name = "x", .facts = facts, .master = true};
		struct findings f;

		preflight(&c, 1, &cfg, need, NULL, &f);
		assert_true(findings_errors(&f) > 0);
		for (size_t k = 0; k < f.n; k++)
			for (const char *p = f.v[k].text; *p; p++)
				assert_true((unsigned char)*p >= 0x20);
		findings_release(&f);
		json_decref(facts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_wrong),
	    cmocka_unit_test(system_checks),
	    cmocka_unit_test(a_worker_needs_fewer_ports),
	    cmocka_unit_test(clocks),
	    cmocka_unit_test(disks),
	    cmocka_unit_test(virtual_ip),
	    cmocka_unit_test(services_have_a_route),
	    cmocka_unit_test(twins),
	    cmocka_unit_test(states),
	    cmocka_unit_test(membership),
	    cmocka_unit_test(ignored),
	    cmocka_unit_test(addresses),
	    cmocka_unit_test(hostile_facts),
	};

	return cmocka_run_group_tests(tests, config_setup, config_teardown);
}
