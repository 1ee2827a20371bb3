// SPDX-License-Identifier: Apache-2.0
/*
 * The certificates of this machine (op "certificates"): those in kubeadm's and kubelet's files and
 * kubeconfigs, and those that its programs really show at their ports. It reads only.
 */
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "servedcert.h"
#include "staticpods.h"
#include "strbuf.h"
#include "yaml.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KUBERNETES  "/etc/kubernetes"
#define KUBELET_PKI "/var/lib/kubelet/pki"
#define TEXT_MAX    (1u << 20)

/* The certificates in PEM text; the caller's. */
static STACK_OF(X509) * certificates_in(const char *text, size_t len)
{
	STACK_OF(X509) *all = sk_X509_new_null();
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	X509 *x;

	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		sk_X509_push(all, x);
	BIO_free(bio);
	return all;
}

/* ---- one certificate ---- */

static long long epoch(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (long long)timegm(&tm) : 0;
}

/* The common name; without one the whole name. */
static char *name_text(X509_NAME *name)
{
	char cn[256];

	if (X509_NAME_get_text_by_NID(name, NID_commonName, cn, sizeof(cn)) > 0)
		return xstrdup(cn);
	X509_NAME_oneline(name, cn, sizeof(cn));
	return xstrdup(cn);
}

static json_t *row_of(const char *place, X509 *x)
{
	auto_free char *subject = name_text(X509_get_subject_name(x));
	auto_free char *issuer = name_text(X509_get_issuer_name(x));
	json_t *row = json_pack("{ss ss ss sI sI sb}", "place", place, "subject", subject, "issuer",
	                        issuer, "begins", (json_int_t)epoch(X509_get0_notBefore(x)), "ends",
	                        (json_int_t)epoch(X509_get0_notAfter(x)), "ca",
	                        X509_check_ca(x) > 0);

	/* names that are no UTF-8 */
	return row ? row : json_pack("{ss ss ss}", "place", place, "subject", "?", "issuer", "?");
}

static void add_problem(json_t *list, const char *place, const char *problem)
{
	json_array_append_new(list, json_pack("{ss ss}", "place", place, "problem", problem));
}

static bool signed_by_one_of(X509 *x, STACK_OF(X509) * authorities)
{
	for (int i = 0; i < sk_X509_num(authorities); i++) {
		X509 *ca = sk_X509_value(authorities, i);

		if (X509_check_issued(ca, x) == X509_V_OK &&
		    X509_verify(x, X509_get0_pubkey(ca)) == 1)
			return true;
	}
	return false;
}

static void check_authority(json_t *row, X509 *x, const char *ca)
{
	auto_strbuf text = {0};
	auto_free char *problem = xasprintf("it is not signed by %s", ca);
	STACK_OF(X509) * authorities;
	struct err ignored = {0};

	if (fs_read(ca, TEXT_MAX, &text, &ignored) < 0)
		return; /* an external CA, or a worker */
	authorities = certificates_in(strbuf_str(&text), text.len);
	if (!signed_by_one_of(x, authorities))
		json_object_set_new(row, "problem", json_string(problem));
	sk_X509_pop_free(authorities, X509_free);
}

static void check_key(json_t *row, X509 *x, const char *pem, size_t len)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	if (key && X509_check_private_key(x, key) != 1)
		json_object_set_new(row, "problem",
		                    json_string("the private key with it is another one's"));
	EVP_PKEY_free(key);
	BIO_free(bio);
}

/* ---- files ---- */

/* All of the file when they are authorities, else the first: what follows are intermediates.
 * ca: the file of the authority that signed it, key: PEM; NULL: not looked at. */
static void add_pem(json_t *list, const char *place, const struct strbuf *text, const char *ca,
                    const struct strbuf *key)
{
	STACK_OF(X509) *all = certificates_in(strbuf_str(text), text->len);

	for (int i = 0; i < sk_X509_num(all); i++) {
		X509 *x = sk_X509_value(all, i);
		json_t *row = row_of(place, x);

		if (ca)
			check_authority(row, x, ca);
		/* of several authorities the key is one's */
		if (key && key->len && (sk_X509_num(all) == 1 || X509_check_ca(x) <= 0))
			check_key(row, x, strbuf_str(key), key->len);
		json_array_append_new(list, row);
		if (X509_check_ca(x) <= 0)
			break;
	}
	if (!sk_X509_num(all))
		add_problem(list, place, "there is no certificate in it");
	sk_X509_pop_free(all, X509_free);
}

/* The key beside NAME.crt is in NAME.key; in a .pem it is in the same file. */
static void read_key(const char *path, struct strbuf *key)
{
	size_t len = strlen(path);
	bool crt = len > 4 && strcmp(path + len - 4, ".crt") == 0;
	auto_free char *beside = xasprintf("%.*s.key", (int)(len - (crt ? 4 : 0)), path);
	struct err ignored = {0};

	fs_read(crt ? beside : path, TEXT_MAX, key, &ignored);
}

static void add_file(json_t *list, const char *path, const char *ca)
{
	auto_strbuf text = {0}, key = {0};
	struct err err = {0};

	if (!fs_exists(path))
		return;
	if (fs_read(path, TEXT_MAX, &text, &err) < 0) {
		add_problem(list, path, err.msg);
		return;
	}
	read_key(path, &key);
	add_pem(list, path, &text, ca, &key);
}

/* Every .crt of the directory; those that an authority with another name signs are told apart by
 * kubeadm's own names. */
static void add_directory(json_t *list, const char *dir, const char *pki)
{
	auto_strlist names = {0};
	struct err ignored = {0};

	if (fs_list(dir, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		const char *n = names.v[i];
		size_t len = strlen(n);
		auto_free char *path = xasprintf("%s/%s", dir, n);
		auto_free char *ca = NULL;

		if (len < 4 || strcmp(n + len - 4, ".crt") != 0)
			continue;
		if (strcmp(n, "ca.crt") == 0 || strcmp(n, "front-proxy-ca.crt") == 0)
			ca = NULL;
		else if (strcmp(n, "front-proxy-client.crt") == 0)
			ca = xasprintf("%s/front-proxy-ca.crt", pki);
		else if (strcmp(dir, pki) != 0 || strcmp(n, "apiserver-etcd-client.crt") == 0)
			ca = xasprintf("%s/etcd/ca.crt", pki);
		else
			ca = xasprintf("%s/ca.crt", pki);
		add_file(list, path, ca);
	}
}

/* Appends what is in base64. */
static void decode(const char *base64, struct strbuf *out)
{
	size_t len = strlen(base64);
	auto_free unsigned char *raw = xcalloc(len + 4, 1);
	int n = EVP_DecodeBlock(raw, (const unsigned char *)base64, (int)len);

	if (n > 0)
		strbuf_add(out, raw, (size_t)n);
}

/* A kubeconfig's first user: the pair in it, or in the files that it names. */
static void add_kubeconfig(json_t *list, const char *path, const char *ca)
{
	auto_strbuf text = {0}, cert = {0}, key = {0};
	struct err err = {0};
	json_t *docs, *user;

	if (!fs_exists(path))
		return;
	if (fs_read(path, TEXT_MAX, &text, &err) < 0 ||
	    !(docs = yaml_documents(strbuf_str(&text), text.len, path, &err))) {
		add_problem(list, path, err.msg);
		return;
	}
	user = json_array_get(json_object_get(json_array_get(docs, 0), "users"), 0);
	user = json_object_get(user, "user");
	if (*json_text(user, "client-certificate-data")) {
		decode(json_text(user, "client-certificate-data"), &cert);
		decode(json_text(user, "client-key-data"), &key);
		add_pem(list, path, &cert, ca, &key);
	} else if (*json_text(user, "client-certificate")) {
		add_file(list, json_text(user, "client-certificate"), ca);
	}
	json_decref(docs);
}

static void add_files(json_t *list, const char *pki)
{
	static const char *const kubeconfigs[] = {"admin.conf", "super-admin.conf",
	                                          "controller-manager.conf", "scheduler.conf",
	                                          "kubelet.conf"};
	static const char *const kubelet[] = {"kubelet.crt", "kubelet-server-current.pem"};
	auto_free char *etcd = xasprintf("%s/etcd", pki);
	auto_free char *ca = xasprintf("%s/ca.crt", pki);

	add_directory(list, pki, pki);
	add_directory(list, etcd, pki);
	for (size_t i = 0; i < ARRAY_SIZE(kubeconfigs); i++) {
		auto_free char *path = xasprintf(KUBERNETES "/%s", kubeconfigs[i]);

		add_kubeconfig(list, path, ca);
	}
	for (size_t i = 0; i < ARRAY_SIZE(kubelet); i++) {
		auto_free char *path = xasprintf(KUBELET_PKI "/%s", kubelet[i]);

		add_file(list, path, NULL);
	}
}

/* ---- ports ---- */

/* Is the first certificate of the file that one? Also when the file is not there. */
static bool is_in_file(X509 *x, const char *path)
{
	auto_strbuf text = {0};
	STACK_OF(X509) * all;
	struct err ignored = {0};
	bool same;

	if (!path || fs_read(path, TEXT_MAX, &text, &ignored) < 0)
		return true;
	all = certificates_in(strbuf_str(&text), text.len);
	same = !sk_X509_num(all) || X509_cmp(sk_X509_value(all, 0), x) == 0;
	sk_X509_pop_free(all, X509_free);
	return same;
}

/* file: where the program has it from; NULL: it made one for itself. */
static void add_port(json_t *list, const char *program, const char *host, const char *port,
                     const char *file)
{
	auto_free char *place = xasprintf(strchr(host, ':') ? "%s at [%s]:%s" : "%s at %s:%s",
	                                  program, host, port);
	auto_free char *old = xasprintf("it is not the one in %s: restart it", file ? file : "");
	struct err err = {0};
	X509 *x = served_certificate(host, port, &err);
	json_t *row;

	if (!x) {
		add_problem(list, place, err.msg);
		return;
	}
	row = row_of(place, x);
	json_object_set_new(row, "port", json_true());
	if (!is_in_file(x, file))
		json_object_set_new(row, "problem", json_string(old));
	json_array_append_new(list, row);
	X509_free(x);
}

static bool has_manifest(const char *name)
{
	auto_free char *path = xasprintf(KUBERNETES "/manifests/%s.yaml", name);

	return fs_exists(path);
}

/* "https://10.0.0.1:2379" */
static void add_etcd_port(json_t *list, const char *url, const char *pki)
{
	auto_free char *file = xasprintf("%s/etcd/server.crt", pki);
	auto_free char *host = xstrdup(strncmp(url, "https://", 8) == 0 ? url + 8 : "");
	char *port = strrchr(host, ':');

	if (!port)
		return;
	*port++ = '\0';
	if (*host == '[') {
		host[strcspn(host, "]")] = '\0';
		memmove(host, host + 1, strlen(host));
	}
	add_port(list, "etcd", host, port, file);
}

static void add_ports(json_t *list, const struct static_pods *p)
{
	static const char kubelet_crt[] = KUBELET_PKI "/kubelet.crt";
	static const char kubelet_pem[] = KUBELET_PKI "/kubelet-server-current.pem";
	auto_free char *file = xasprintf("%s/apiserver.crt", p->certs_dir);

	if (p->apiserver && p->api_address)
		add_port(list, "kube-apiserver", p->api_address, p->api_port ? p->api_port : "6443",
		         file);
	if (p->etcd && p->etcd_url)
		add_etcd_port(list, p->etcd_url, p->certs_dir);
	if (has_manifest("kube-controller-manager"))
		add_port(list, "kube-controller-manager", "127.0.0.1", "10257", NULL);
	if (has_manifest("kube-scheduler"))
		add_port(list, "kube-scheduler", "127.0.0.1", "10259", NULL);
	if (fs_exists(KUBELET_CONF))
		add_port(list, "kubelet", "127.0.0.1", "10250",
		         fs_exists(kubelet_pem) ? kubelet_pem : kubelet_crt);
}

int op_certificates(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	json_t *list = json_array();
	struct static_pods p;

	(void)n;
	(void)args;
	(void)err;
	static_pods_read(&p);
	add_files(list, p.certs_dir);
	add_ports(list, &p);
	static_pods_release(&p);
	json_object_set_new(result, "certificates", list);
	json_object_set_new(result, "now", json_integer((json_int_t)time(NULL)));
	return 0;
}
