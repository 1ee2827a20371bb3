/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "staticpods.h"
#include "unit.h"

#include <string.h>

static const char etcd[] =
    "apiVersion: v1\n"
    "kind: Pod\n"
    "metadata:\n"
    "  name: etcd\n"
    "spec:\n"
    "  containers:\n"
    "  - command:\n"
    "    - etcd\n"
    "    - --cert-file=/srv/pki/etcd/server.crt\n"
    "    - --data-dir=/var/lib/etcd\n"
    "    - --key-file=/srv/pki/etcd/server.key\n"
    "    - --listen-client-urls=https://127.0.0.1:2379,https://10.0.0.1:2379\n"
    "    - --trusted-ca-file=/srv/pki/etcd/ca.crt\n"
    "    image: etcd\n"
    "  volumes:\n"
    "  - hostPath:\n"
    "      path: /srv/pki/etcd\n"
    "    name: etcd-certs\n"
    "  - hostPath:\n"
    "      path: /data/etcd\n"
    "    name: etcd-data\n";

static const char apiserver[] = "kind: Pod\n"
				"spec:\n"
				"  containers:\n"
				"  - command:\n"
				"    - /usr/local/bin/kube-apiserver\n"
				"    args: [--advertise-address=10.0.0.1, --secure-port=8443,\n"
				"           --client-ca-file=/srv/pki/ca.crt,\n"
				"           --etcd-servers=https://127.0.0.1:2379]\n";

static const char lvscare[] = "kind: Pod\n"
			      "metadata: {name: kube-lvscare}\n"
			      "spec:\n"
			      "  containers:\n"
			      "  - command: [lvscare]\n"
			      "    args: [--vs, '169.254.97.2:6443', --rs, '10.0.0.1:6443']\n";

static const char kubelet[] = "kind: KubeletConfiguration\n"
			      "authentication:\n"
			      "  x509:\n"
			      "    clientCAFile: /etc/pki2/ca.crt\n";

static void what_they_say(void **state)
{
	struct static_pods p = {0};

	(void)state;
	static_pods_add(&p, etcd, strlen(etcd));
	static_pods_add(&p, apiserver, strlen(apiserver));
	static_pods_add(&p, lvscare, strlen(lvscare));
	static_pods_add(&p, kubelet, strlen(kubelet));
	assert_true(p.etcd);
	assert_true(p.apiserver);
	assert_string_equal(p.etcd_dir, "/data/etcd"); /* on the host, not in the container */
	assert_string_equal(p.etcd_url, "https://127.0.0.1:2379");
	assert_string_equal(p.etcd_ca, "/srv/pki/etcd/ca.crt");
	assert_string_equal(p.etcd_cert, "/srv/pki/etcd/server.crt");
	assert_string_equal(p.certs_dir, "/srv/pki"); /* the API server's, where there is one */
	assert_string_equal(p.api_address, "10.0.0.1");
	assert_string_equal(p.api_port, "8443");
	assert_string_equal(p.etcd_servers, "https://127.0.0.1:2379");
	assert_string_equal(p.vip, "169.254.97.2:6443");
	static_pods_release(&p);
}

static void a_worker_s_certificates(void **state)
{
	struct static_pods p = {0};

	(void)state;
	static_pods_add(&p, kubelet, strlen(kubelet));
	assert_string_equal(p.certs_dir, "/etc/pki2");
	assert_false(p.etcd);
	static_pods_release(&p);
}

/* Whatever stands in the file: never the root directory, never a relative path. */
static void nonsense_changes_nothing(void **state)
{
	static const char *const texts[] = {
	    "",
	    "[1, 2]",
	    "kind: Pod",
	    "kind: Pod\nspec: {containers: 7}",
	    "kind: Pod\nspec: {containers: [{command: [etcd, '--data-dir=data', --x]}]}",
	    "kind: KubeletConfiguration\nauthentication: {x509: {clientCAFile: /ca.crt}}",
	    "kind: KubeletConfiguration\nauthentication: {x509: {clientCAFile: ca.crt}}",
	    "\tnot: [yaml",
	};
	struct static_pods p = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		static_pods_add(&p, texts[i], strlen(texts[i]));
	assert_null(p.etcd_dir);
	assert_null(p.certs_dir);
	static_pods_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_they_say),
	    cmocka_unit_test(a_worker_s_certificates),
	    cmocka_unit_test(nonsense_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
