/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* A table for preflight: facts of one machine -> what is found. */
#include "config.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "preflight.h"
#include "strbuf.h"
#include "tempfile.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A machine with which nothing is wrong. */
#define DISK                                                                              \
	"{\"free\":10737418240,\"total\":21474836480,\"inodes\":1000000,\"inodes_free\":" \
	"900000,\"dev\":1,\"at_boot\":true,\"mount\":\"/\",\"type\":\"ext4\"}"
#define DEFAULTS "{\"to\":\"0.0.0.0/0\",\"device\":\"eth0\"},{\"to\":\"::/0\",\"device\":\"eth0\"},"
#define GOOD                                                                                   \
	"{\"uid\":0,\"systemd\":true,\"cgroup2\":true,\"cpus\":2,\"memory_mib\":1900,"         \
	"\"nameserver\":true,\"hostname\":\"a\",\"machine_id\":\"x\",\"kernel\":\"6.1\","      \
	"\"time_ms\":1000,\"state\":{},\"flannel\":true,\"default_source\":\"10.0.0.1\","      \
	"\"addresses\":[{\"address\":\"10.0.0.1\",\"device\":\"eth0\"}],"                      \
	"\"routes\":[" DEFAULTS "{\"to\":\"10.0.0.0/24\",\"device\":\"eth0\"}],\"disks\":{"    \
	"\"/opt/kubecask\":" DISK ",\"/usr/local/bin\":" DISK ",\"/var/lib/containerd\":" DISK \
	",\"/var/lib/kubelet\":" DISK ",\"/var/lib/etcd\":" DISK "}}"

struct row {
	const char *facts;  /* members that differ from GOOD */
	const char *config; /* kubeadm documents, or NULL */
	bool worker;
	const char *check, *level, *text, *fix; /* check NULL: nothing is found */
};

#define DRY   "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
#define PROXY "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
#define INIT  "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
#define CLUSTER                                                                  \
	"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"       \
	"networking: {podSubnet: '10.244.0.0/16,fd00:244::/56', serviceSubnet: " \
	"'10.96.0.0/12,fd00:96::/112'}\n"
#define BOTH                                                              \
	"\"addresses\":[{\"address\":\"10.0.0.1\",\"device\":\"eth0\"},{" \
	"\"address\":\"fd00:1::1\",\"device\":\"eth0\"}]"
#define REFUSES(family, table, chain, hook, by)                                \
	"{\"firewall_refuses\":[{\"family\":\"" family "\",\"table\":\"" table \
	"\",\"chain\":\"" chain "\",\"hook\":\"" hook "\",\"by\":\"" by "\"}]"

static const struct row rows[] = {
    {.facts = "{}"},
    /* size */
    {.facts = "{\"cpus\":1}",
     .check = "NumCPU",
     .level = "error",
     .text = "1 CPU",
     .fix = "2 CPUs"},
    {.facts = "{\"cpus\":1}", .worker = true},
    {.facts = "{\"cpus\":1}",
     .config = INIT "nodeRegistration: {ignorePreflightErrors: [numcpu, Mem]}\n",
     .check = "NumCPU",
     .level = "warning"},
    {.facts = "{\"memory_mib\":1600}", .check = "Mem", .level = "error", .text = "1600 MiB"},
    {.facts = "{\"memory_mib\":800}", .worker = true, .check = "Mem", .level = "warning"},
    {.facts = "{\"cgroup_missing\":[\"memory\"]}",
     .check = "Cgroups",
     .level = "error",
     .text = "lacks memory",
     .fix = "cgroup_enable=memory"},
    /* names */
    {.facts = "{\"hostname\":\"Big-Node1.example\"}"},
    {.facts = "{\"hostname\":\"a_b\"}", .check = "Hostname", .level = "error", .text = "\"a_b\""},
    {.facts = "{\"hostname\":\"a.\"}", .check = "Hostname", .level = "error"},
    {.facts = "{\"hostname\":\"-a\"}", .check = "Hostname", .level = "error"},
    {.facts = "{\"hostname\":\"localhost.localdomain\"}",
     .check = "Hostname",
     .level = "error",
     .text = "every machine has that one",
     .fix = "hostnamectl set-hostname"},
    {.facts = "{\"hostname\":\"a234567890123456789012345678901234567890123456789012345678901234\"}",
     .check = "Hostname",
     .level = "error",
     .text = "more than 63"},
    /* swap */
    {.facts = "{\"swap\":[\"/dev/zram0\"]}",
     .check = "Swap",
     .level = "error",
     .fix = "systemd-zram-setup"},
    {.facts = "{\"swap\":[\"/dev/sda2\"]}", .config = DRY "failSwapOn: false\n"},
    /* proxies */
    {.facts = "{\"proxies\":[\"/etc/environment: https_proxy=http://p:3128\"]}",
     .check = "Proxy",
     .level = "warning",
     .text = "169.254.97.2 (/etc/environment: https_proxy",
     .fix = "169.254.97.2,10.96.0.0/12,10.244.0.0/16"},
    {.facts = "{\"proxies\":[\"f: x\"],\"no_proxy\":\",localhost,169.254.0.0/16\"}",
     .check = "Proxy",
     .level = "info"},
    {.facts = "{\"proxies\":[\"f: x\"],\"no_proxy\":\"169.254.97.2\"}",
     .check = "Proxy",
     .level = "info"},
    {.facts = "{\"proxies\":[\"f: x\"],\"no_proxy\":\"10.0.0.0/8,.example\"}",
     .check = "Proxy",
     .level = "warning"},
    /* security */
    {.facts = "{\"selinux\":\"enforcing\"}",
     .check = "SELinux",
     .level = "warning",
     .fix = "setenforce 0"},
    {.facts = "{\"selinux\":\"permissive\"}", .check = "SELinux", .level = "info"},
    {.facts = "{\"apparmor\":true}", .check = "AppArmor", .level = "info"},
    /* kernel */
    {.facts = "{\"modules_disabled\":[\"/etc/modprobe.d/cis.conf: install vxlan /bin/false\"]}",
     .check = "Modprobe",
     .level = "error",
     .text = "/etc/modprobe.d/cis.conf: install vxlan",
     .fix = "delete that line"},
    {.facts = "{\"proxy_missing\":{\"iptables\":[\"xt_comment\"],\"nftables\":[\"nft_ct\"]}}",
     .check = "ProxyMode",
     .level = "error",
     .text = "iptables mode needs xt_comment"},
    {.facts = "{\"proxy_missing\":{\"iptables\":[\"xt_comment\"],\"nftables\":[]}}",
     .check = "ProxyMode",
     .level = "info",
     .text = "nftables mode"},
    {.facts = "{\"proxy_missing\":{\"ipvs\":[\"ip_set\"]}}",
     .config = PROXY "mode: ipvs\n",
     .check = "ProxyMode",
     .level = "error",
     .text = "in ipvs mode needs ip_set, which kernel 6.1 has not",
     .fix = "another mode"},
    {.facts = "{\"proxy_missing\":{\"ipvs\":[\"ip_set\"]}}"},
    /* leftovers */
    {.facts = "{\"settings\":[{\"unit\":\"kubelet\",\"file\":\"/etc/systemd/system/"
              "kubelet.service.d/10-kubeadm.conf\",\"line\":\"ExecStart=/usr/bin/"
              "kubelet\",\"command\":true}]}",
     .check = "DropIn",
     .level = "error",
     .text = "10-kubeadm.conf changes kubelet: ExecStart=/usr/bin/kubelet",
     .fix = "rm /etc/systemd/system/kubelet.service.d/10-kubeadm.conf"},
    {.facts = "{\"settings\":[{\"unit\":\"kubelet\",\"file\":\"/etc/default/kubelet\",\"line\":"
              "\"KUBELET_EXTRA_ARGS=--network-plugin=cni\"}]}",
     .check = "DropIn",
     .level = "error",
     .text = "does not start"},
    {.facts = "{\"settings\":[{\"unit\":\"kubelet\",\"file\":\"/etc/default/kubelet\",\"line\":"
              "\"KUBELET_EXTRA_ARGS=--v=2\"}]}",
     .check = "DropIn",
     .level = "warning"},
    /* a machine's words are no commands */
    {.facts = "{\"settings\":[{\"unit\":\"kubelet\",\"file\":\"/etc/a b';reboot\",\"line\":"
              "\"X=1\"}]}",
     .check = "DropIn",
     .level = "warning",
     .fix = "rm '/etc/a b'\\'';reboot' && systemctl"},
    {.facts = REFUSES("inet", "t;reboot", "c", "input", "rule") "}",
     .check = "Firewall",
     .level = "error",
     .fix = "rule inet 't;reboot' c ip saddr"},
    {.facts = "{\"cni\":[{\"name\":\"05-cilium.conflist\",\"networks\":[]}]}",
     .check = "CNI",
     .level = "error",
     .text = "sorts before 10-flannel.conflist",
     .fix = "rm /etc/cni/net.d/05-cilium.conflist"},
    {.facts = "{\"cni\":[{\"name\":\"87-podman.conflist\",\"networks\":[\"10.244.3.0/24\"]}]}",
     .check = "CNI",
     .level = "error",
     .text = "10.244.3.0/24"},
    {.facts = "{\"cni\":[{\"name\":\"87-podman.conflist\",\"networks\":[\"10.88.0.0/16\"]}]}",
     .check = "CNI",
     .level = "info"},
    {.facts = "{\"cni\":[{\"name\":\"05-cilium.conflist\"}],\"flannel\":false}"},
    {.facts = "{\"chains_left\":[\"KUBE-SERVICES\",\"cali-INPUT\"]}",
     .check = "Chains",
     .level = "warning",
     .text = "KUBE-SERVICES, cali-INPUT"},
    {.facts = "{\"devices_left\":[\"cni0\"],\"routes\":[" DEFAULTS
              "{\"to\":\"10.244.0.0/24\",\"device\":"
              "\"cni0\"}]}",
     .check = "Devices",
     .level = "warning",
     .text = "cni0"},
    {.facts = "{\"ipvs\":[\"169.254.97.2:6443\"]}"},
    {.facts = "{\"ipvs\":[\"10.96.0.1:443\"]}", .check = "IPVS", .level = "warning"},
    {.facts = "{\"crictl\":true}", .check = "Foreign", .level = "info"},
    /* addresses and names */
    {.facts = "{\"default_source\":\"\"}"},
    {.facts = "{\"default_source\":\"\",\"addresses\":[]}",
     .check = "Address",
     .level = "error",
     .text = "neither"},
    {.facts = "{\"default_source\":\"\",\"addresses\":[{\"address\":\"10.0.0.1\",\"device\":"
              "\"eth0\"},{\"address\":\"10.1.0.1\",\"device\":\"eth1\"},{\"address\":"
              "\"172.17.0.1\",\"device\":\"docker0\"},{\"address\":\"127.0.0.1\",\"device\":"
              "\"lo\"}]}",
     .check = "Address",
     .level = "error",
     .text = "several addresses: 10.0.0.1 (eth0), 10.1.0.1 (eth1)",
     .fix = "--master 10.0.0.1"},
    {.facts = "{\"nameserver\":false,\"nameservers\":[\"127.0.0.53\"],\"resolv_conf\":"
              "\"/etc/resolv.conf\"}",
     .check = "DNS",
     .level = "warning",
     .text = "only 127.0.0.53 on the machine itself"},
    {.facts = "{\"state\":{\"damaged\":\"state.json: bad\"}}",
     .check = "State",
     .level = "error",
     .text = "state.json: bad"},
    {.facts = "{}",
     .config = CLUSTER,
     .check = "Address",
     .level = "error",
     .text = "no IPv6 address"},
    /* networks */
    {.facts = "{" BOTH ",\"routes\":[" DEFAULTS
              "{\"to\":\"fd00:244:0:7::/64\",\"device\":\"eth1\"}]}",
     .config = CLUSTER,
     .check = "Networks",
     .level = "error",
     .text = "fd00:244:0:7::/64 (eth1) overlaps the pod range fd00:244::/56"},
    {.facts = "{" BOTH ",\"routes\":[" DEFAULTS "{\"to\":\"fd00:96::/64\",\"device\":\"eth1\"}]}",
     .config = CLUSTER,
     .check = "Networks",
     .level = "error",
     .text = "the service range fd00:96::/112"},
    {.facts = "{\"routes\":[" DEFAULTS "{\"to\":\"fd00:96::/64\",\"device\":\"eth1\"}]}"},
    /* ports */
    {.facts = "{\"ports_busy\":[2379]}", .check = "Port", .level = "error", .fix = "ss -ltnp"},
    {.facts = "{\"ports_busy\":[6443]}", .config = INIT "localAPIEndpoint: {bindPort: 8443}\n"},
    {.facts = "{\"ports_busy\":[8443]}",
     .config = INIT "localAPIEndpoint: {bindPort: 8443}\n",
     .check = "Port",
     .level = "error",
     .text = "port 8443 is in use"},
    {.facts = "{\"ports_busy\":[8081]}",
     .check = "Port",
     .level = "error",
     .text = "port 8081, at which flannel answers health probes, is in use"},
    {.facts = "{\"flannel\":false,\"ports_busy\":[8081]}"},
    {.facts = "{\"udp_busy\":[8472]}", .check = "Port", .level = "error", .text = "UDP port 8472"},
    /* firewalls */
    {.facts = REFUSES("inet", "fwlike", "input", "input", "rule") "}",
     .check = "Firewall",
     .level = "error",
     .text = "inet fwlike input",
     .fix = "nft insert rule inet fwlike input ip saddr 10.244.0.0/16 accept"},
    {.facts = REFUSES("inet", "f", "i", "input",
                      "rule") ",\"firewall_networks\":[\"10.244.0.0/16\"]}",
     .check = "Firewall",
     .level = "warning"},
    {.facts = REFUSES("inet", "f", "i", "input",
                      "rule") ",\"firewall_networks\":[\"10.0.0.0/24\"]}",
     .check = "Firewall",
     .level = "error"},
    {.facts = REFUSES("ip", "filter", "INPUT", "input", "policy") "}",
     .check = "Firewall",
     .level = "error",
     .fix = "iptables -I INPUT -s 10.244.0.0/16 -j ACCEPT"},
    {.facts = REFUSES("ip", "filter", "FORWARD", "forward", "policy") "}"},
    {.facts = REFUSES("ip", "filter", "FORWARD", "forward", "rule") "}",
     .check = "Firewall",
     .level = "error",
     .fix = "iptables -I FORWARD -d 10.244.0.0/16 -j ACCEPT"},
    {.facts = REFUSES("inet", "firewalld", "filter_INPUT", "input",
                      "rule") ",\"firewall\":\"firewalld\"}",
     .check = "Firewall",
     .level = "error",
     .text = "firewalld: inet firewalld filter_INPUT",
     .fix = "--zone=trusted --add-source=10.244.0.0/16"},
    {.facts = REFUSES("ip", "filter", "INPUT", "input", "policy") ",\"firewall\":\"ufw\"}",
     .check = "Firewall",
     .level = "error",
     .fix = "ufw allow from 10.244.0.0/16"},
    {.facts = REFUSES("inet", "t", "c", "input", "rule") "," BOTH "}",
     .config = CLUSTER,
     .check = "Firewall",
     .level = "error",
     .fix = "nft insert rule inet t c ip saddr 10.244.0.0/16 accept; nft insert rule inet t c "
            "ip6 saddr fd00:244::/56 accept"},
    {.facts = "{\"firewall\":\"firewalld\"}", .check = "Firewall", .level = "info"},
};

static const char *level_of(const struct finding *f)
{
	return f->error ? "error" : f->info ? "info" : "warning";
}

/* Without the row that says which address this machine gets. */
static size_t others(const struct findings *f, const struct finding **one)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->v[i].check, "Address") != 0 || !f->v[i].info) {
			*one = &f->v[i];
			n++;
		}
	return n;
}

static void load_config(struct cluster_config *cfg, const char *text, const char *version)
{
	static const struct strlist none;
	const char *path = text ? temp_file(text) : NULL;
	struct err err = {0};

	if (cluster_config_init(cfg, &(struct config_choice){.file = path, .masters = 1}, version,
	                        &none, &err) < 0)
		fail_msg("%s", err.msg);
}

static json_t *facts_with(const char *members)
{
	json_t *facts = json_loads(GOOD, 0, NULL), *more = json_loads(members, 0, NULL);

	assert_non_null(facts);
	assert_non_null(more);
	json_object_update(facts, more);
	json_decref(more);
	return facts;
}

static void judge(const struct row *r, const struct findings *f)
{
	const struct finding *one = NULL;
	size_t n = others(f, &one);

	if (n != (r->check ? 1 : 0)) {
		findings_print(f, stderr);
		fail_msg("%s: %zu findings", r->facts, n);
	}
	if (!r->check)
		return;
	if (strcmp(one->check, r->check) != 0 || strcmp(level_of(one), r->level) != 0 ||
	    (r->text && !strstr(one->text, r->text)) || (r->fix && !strstr(one->fix, r->fix)))
		fail_msg("%s: %s %s: %s; fix: %s", r->facts, level_of(one), one->check, one->text,
		         one->fix);
	if (one->error && !*one->fix)
		fail_msg("%s: no fix", r->facts);
}

static void the_table(void **state)
{
	static const struct space need[2] = {{100 << 20, 100 << 20}, {100 << 20, 100 << 20}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *facts = facts_with(rows[i].facts);
		struct candidate c = {.name = "m",
		                      .facts = facts,
		                      .master = !rows[i].worker,
		                      .asked_ms = 990,
		                      .answered_ms = 1010};
		struct cluster_config cfg;
		struct findings f;

		load_config(&cfg, rows[i].config, "v1.37.2");
		preflight(&c, 1, &cfg, need, NULL, &f);
		judge(&rows[i], &f);
		findings_release(&f);
		cluster_config_release(&cfg);
		json_decref(facts);
	}
}

/* kubelet's thresholds: what is left after the installation counts. */
static void eviction(void **state)
{
	static const struct space need[2] = {{1 << 30, 1 << 30}, {1 << 30, 1 << 30}};
	static const struct {
		const char *config;
		long long free_gib; /* of 20 GiB */
		const char *text;   /* NULL: no finding */
	} tries[] = {
	    {NULL, 6, NULL}, /* 2.5 GiB needed, 3 to keep */
	    {NULL, 5, "kubelet evicts pods below 3072 (imagefs.available)"},
	    {DRY "evictionHard: {imagefs.available: 1Gi, nodefs.available: 5%}\n", 4, NULL},
	    {DRY "evictionHard: {imagefs.available: 2Gi, nodefs.available: 5%}\n", 4,
	     "below 2048 (imagefs.available)"},
	    {DRY "evictionHard: {memory.available: 100Mi}\n", 3, NULL},
	    {NULL, 2, "2048 MiB free, 2560 MiB needed"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		json_t *facts = facts_with("{}"), *v;
		struct candidate c = {
		    .name = "m", .facts = facts, .master = true, .answered_ms = 2000};
		const char *key;
		struct cluster_config cfg;
		struct findings f;
		const struct finding *one = NULL;

		json_object_foreach (json_object_get(facts, "disks"), key, v)
			json_object_set_new(v, "free", json_integer(tries[i].free_gib << 30));
		load_config(&cfg, tries[i].config, "v1.37.2");
		preflight(&c, 1, &cfg, need, NULL, &f);
		assert_int_equal(others(&f, &one), tries[i].text ? 1 : 0);
		if (tries[i].text && !strstr(one->text, tries[i].text))
			fail_msg("%s", one->text);
		findings_release(&f);
		cluster_config_release(&cfg);
		json_decref(facts);
	}
}

static void crictl_of_a_bundle_of_1_30(void **state)
{
	static const struct space need[2];
	json_t *facts = facts_with("{\"crictl\":true}");
	struct candidate c = {.name = "m", .facts = facts, .master = true, .answered_ms = 2000};
	const struct finding *one = NULL;
	struct cluster_config cfg;
	struct findings f;

	(void)state;
	load_config(&cfg, NULL, "v1.30.4");
	preflight(&c, 1, &cfg, need, NULL, &f);
	assert_int_equal(others(&f, &one), 1);
	assert_true(one->error);
	assert_non_null(strstr(one->text, "crictl is in the way"));
	findings_release(&f);
	cluster_config_release(&cfg);
	json_decref(facts);
}

static void overlapping_ranges(void **state)
{
	static const struct strlist none;
	static const struct space need[2];
	json_t *facts = facts_with("{}");
	struct candidate c = {.name = "m", .facts = facts, .master = true, .answered_ms = 2000};
	const struct config_choice choice = {.pod_cidr = "10.96.0.0/16,fd00::/48",
	                                     .service_cidr = "10.96.0.0/12,fd00::/112"};
	struct cluster_config cfg;
	struct findings f;
	struct err err = {0};
	size_t found = 0;

	(void)state;
	if (cluster_config_init(&cfg, &choice, "v1.37.2", &none, &err) < 0)
		fail_msg("%s", err.msg);
	preflight(&c, 1, &cfg, need, NULL, &f);
	for (size_t i = 0; i < f.n; i++)
		found += strstr(f.v[i].text,
		                "10.96.0.0/16 and service range 10.96.0.0/12 overlap") ||
		         strstr(f.v[i].text, "fd00::/48 and service range fd00::/112 overlap");
	assert_int_equal(found, 2);
	findings_release(&f);
	cluster_config_release(&cfg);
	json_decref(facts);
}

static void the_mode_fits_all_machines(void **state)
{
	json_t *a = facts_with("{\"proxy_missing\":{\"iptables\":[\"xt_mark\"]}}");
	json_t *b = facts_with("{\"proxy_missing\":{\"nftables\":[\"nft_ct\"]}}");
	struct candidate c[] = {{.name = "a", .facts = a}, {.name = "b", .facts = b}};
	struct cluster_config cfg;
	struct err err = {0};

	(void)state;
	load_config(&cfg, NULL, "v1.37.2");
	assert_string_equal(proxy_mode_choose(c, 1, &cfg, &err), "nftables");
	assert_string_equal(proxy_mode_choose(c + 1, 1, &cfg, &err), "iptables");
	assert_null(proxy_mode_choose(c, 2, &cfg, &err));
	assert_non_null(
	    strstr(err.msg, "a: kube-proxy needs xt_mark (or, in nftables mode, nft_ct)"));
	/* a member runs already */
	json_object_set_new(a, "kubelet_conf", json_true());
	json_object_set_new(a, "ours", json_true());
	assert_string_equal(proxy_mode_choose(c, 2, &cfg, &err), "iptables");
	cluster_config_release(&cfg);
	json_decref(a);
	json_decref(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_table),
	    cmocka_unit_test(eviction),
	    cmocka_unit_test(crictl_of_a_bundle_of_1_30),
	    cmocka_unit_test(overlapping_ranges),
	    cmocka_unit_test(the_mode_fits_all_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
