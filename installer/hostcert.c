// SPDX-License-Identifier: Apache-2.0
#include "hostcert.h"

#include "err.h"
#include "knownhosts.h"
#include "mem.h"

#include <fnmatch.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#define KIND_HOST      2
#define PRINCIPALS_MAX 256 /* as OpenSSH */
#define RSA_BITS_MIN   1024

/* What is left to read; p NULL: something was too short. */
struct reader {
	const unsigned char *p;
	size_t left;
};

struct bytes {
	const unsigned char *p;
	size_t len;
};

static uint64_t get_number(struct reader *r, size_t n)
{
	uint64_t v = 0;

	if (!r->p || r->left < n) {
		r->p = NULL;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		v = v << 8 | r->p[i];
	r->p += n;
	r->left -= n;
	return v;
}

static struct bytes get_string(struct reader *r)
{
	size_t len = (size_t)get_number(r, 4);
	struct bytes b = {0};

	if (!r->p || len > r->left) {
		r->p = NULL;
		return b;
	}
	b = (struct bytes){r->p, len};
	r->p += len;
	r->left -= len;
	return b;
}

static bool is(struct bytes b, const char *s)
{
	return b.len == strlen(s) && memcmp(b.p, s, b.len) == 0;
}

static void add_string(struct strbuf *out, const void *p, size_t len)
{
	const unsigned char n[4] = {(unsigned char)(len >> 24), (unsigned char)(len >> 16),
	                            (unsigned char)(len >> 8), (unsigned char)len};

	strbuf_add(out, n, 4);
	strbuf_add(out, p, len);
}

static const struct {
	const char *cert, *plain;
	int fields; /* strings of the key itself */
} kinds[] = {
    {"ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", 1},
    {"ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256", 2},
    {"ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384", 2},
    {"ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521", 2},
    {"ssh-rsa-cert-v01@openssh.com", "ssh-rsa", 2},
};

static void read_principals(struct bytes list, struct hostcert *out, struct reader *whole)
{
	struct reader r = {list.p, list.len};

	while (r.p && r.left && out->principals.n < PRINCIPALS_MAX) {
		struct bytes one = get_string(&r);

		/* a name with a NUL is no name */
		if (r.p && !memchr(one.p, '\0', one.len))
			strlist_addf(&out->principals, "%.*s", (int)one.len, one.p);
		else
			r.p = NULL;
	}
	if (list.len && (!r.p || r.left))
		whole->p = NULL;
}

int hostcert_parse(const void *data, size_t len, struct hostcert *out, struct err *err)
{
	struct reader r = {data, len};
	struct bytes type = get_string(&r), b;
	size_t kind = 0;

	*out = (struct hostcert){0};
	while (kind < ARRAY_SIZE(kinds) && !(r.p && is(type, kinds[kind].cert)))
		kind++;
	if (kind == ARRAY_SIZE(kinds))
		return err_set(err, "not a certificate of a known kind");
	out->plain_type = kinds[kind].plain;
	get_string(&r); /* nonce */
	add_string(&out->key, out->plain_type, strlen(out->plain_type));
	for (int i = 0; i < kinds[kind].fields; i++) {
		b = get_string(&r);
		add_string(&out->key, b.p ? b.p : (const unsigned char *)"", b.len);
	}
	get_number(&r, 8); /* serial */
	out->kind = (uint32_t)get_number(&r, 4);
	get_string(&r); /* key id */
	read_principals(get_string(&r), out, &r);
	out->after = get_number(&r, 8);
	out->before = get_number(&r, 8);
	b = get_string(&r);
	strbuf_add(&out->options, b.p ? b.p : (const unsigned char *)"", b.len);
	get_string(&r); /* extensions: none is defined for hosts */
	get_string(&r); /* reserved */
	b = get_string(&r);
	strbuf_add(&out->authority, b.p ? b.p : (const unsigned char *)"", b.len);
	out->signed_len = len - r.left;
	b = get_string(&r);
	strbuf_add(&out->signature, b.p ? b.p : (const unsigned char *)"", b.len);
	if (r.p && !r.left)
		return 0;
	hostcert_release(out);
	return err_set(err, "a damaged certificate");
}

void hostcert_release(struct hostcert *c)
{
	strbuf_release(&c->key);
	strbuf_release(&c->options);
	strbuf_release(&c->authority);
	strbuf_release(&c->signature);
	strlist_release(&c->principals);
	*c = (struct hostcert){0};
}

/* ---- the authority's signature ---- */

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *ec_key(const char *group, struct bytes point)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (bld && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.len))
		key = from_params("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

static EVP_PKEY *rsa_key(struct bytes e, struct bytes n)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *be = BN_bin2bn(e.p, (int)e.len, NULL), *bn = BN_bin2bn(n.p, (int)n.len, NULL);
	EVP_PKEY *key = NULL;

	if (bld && be && bn && BN_num_bits(bn) >= RSA_BITS_MIN &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn))
		key = from_params("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(be);
	BN_free(bn);
	return key;
}

/* The public key of a wire blob. *type: its name. NULL: none that is known. */
static EVP_PKEY *public_key(const struct strbuf *blob, struct bytes *type)
{
	static const struct {
		const char *type, *curve;
	} curves[] = {{"ecdsa-sha2-nistp256", "P-256"},
	              {"ecdsa-sha2-nistp384", "P-384"},
	              {"ecdsa-sha2-nistp521", "P-521"}};
	struct reader r = {(const unsigned char *)blob->buf, blob->len};
	struct bytes a, b;

	*type = get_string(&r);
	a = get_string(&r);
	if (!r.p || !a.len || a.len > 4096)
		return NULL;
	if (is(*type, "ssh-ed25519"))
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, a.p, a.len);
	b = get_string(&r);
	if (!r.p || !b.len || b.len > 4096)
		return NULL;
	if (is(*type, "ssh-rsa"))
		return rsa_key(a, b);
	for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
		if (is(*type, curves[i].type))
			return ec_key(curves[i].curve, b);
	return NULL;
}

static bool verify(EVP_PKEY *key, const EVP_MD *md, struct bytes sig, const void *data, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1 &&
	            EVP_DigestVerify(ctx, sig.p, sig.len, data, len) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

/* SSH writes r and s as two numbers, OpenSSL reads DER. */
static bool verify_ecdsa(EVP_PKEY *key, const EVP_MD *md, struct bytes sig, const void *data,
                         size_t len)
{
	struct reader rd = {sig.p, sig.len};
	struct bytes r = get_string(&rd), s = get_string(&rd);
	ECDSA_SIG *both = NULL;
	unsigned char *der = NULL;
	BIGNUM *br, *bs;
	bool good = false;
	int n;

	if (!rd.p || !r.len || !s.len || r.len > 256 || s.len > 256)
		return false;
	both = ECDSA_SIG_new();
	br = BN_bin2bn(r.p, (int)r.len, NULL);
	bs = BN_bin2bn(s.p, (int)s.len, NULL);
	if (!both || !br || !bs || ECDSA_SIG_set0(both, br, bs) != 1) {
		BN_free(br);
		BN_free(bs);
		ECDSA_SIG_free(both);
		return false;
	}
	n = i2d_ECDSA_SIG(both, &der);
	if (n > 0)
		good = verify(key, md, (struct bytes){der, (size_t)n}, data, len);
	OPENSSL_free(der);
	ECDSA_SIG_free(both);
	return good;
}

static bool signature_good(const struct hostcert *c, const void *data)
{
	struct reader r = {(const unsigned char *)c->signature.buf, c->signature.len};
	struct bytes algorithm = get_string(&r), sig = get_string(&r), type;
	EVP_PKEY *key = public_key(&c->authority, &type);
	bool good = false;

	if (key && r.p && algorithm.p && type.p && sig.len) {
		if (is(type, "ssh-ed25519"))
			good = is(algorithm, "ssh-ed25519") &&
			       verify(key, NULL, sig, data, c->signed_len);
		else if (is(type, "ssh-rsa") && is(algorithm, "rsa-sha2-512"))
			good = verify(key, EVP_sha512(), sig, data, c->signed_len);
		else if (is(type, "ssh-rsa")) /* SHA-1 is not taken */
			good = is(algorithm, "rsa-sha2-256") &&
			       verify(key, EVP_sha256(), sig, data, c->signed_len);
		else if (algorithm.len == type.len && memcmp(algorithm.p, type.p, type.len) == 0)
			good = verify_ecdsa(key,
			                    is(type, "ecdsa-sha2-nistp256")   ? EVP_sha256()
			                    : is(type, "ecdsa-sha2-nistp384") ? EVP_sha384()
			                                                      : EVP_sha512(),
			                    sig, data, c->signed_len);
	}
	EVP_PKEY_free(key);
	return good;
}

/* ---- the check ---- */

static bool names_host(const struct hostcert *c, const char *name)
{
	for (size_t i = 0; i < c->principals.n; i++)
		if (strcasecmp(c->principals.v[i], name) == 0)
			return true;
	return !c->principals.n; /* as ssh: a certificate without names is good for all */
}

static int check_time(const struct hostcert *c, time_t now, struct err *err)
{
	uint64_t t = now < 0 ? 0 : (uint64_t)now;

	if (t < c->after)
		return err_set(err, "it is not valid yet (is this machine's clock right?)");
	if (t >= c->before)
		return err_set(err, "it has expired");
	return 0;
}

static int check(const struct hostcert *c, const void *data, const struct hostkey *proved,
                 const char *name, const struct strlist *authorities, time_t now, struct err *err)
{
	auto_free char *ca = base64_encode(c->authority.buf ? c->authority.buf : "",
	                                   c->authority.len);

	if (!c->key.buf || c->key.len != proved->len ||
	    memcmp(c->key.buf, proved->blob, c->key.len) != 0)
		return err_set(err, "it is for another key than the one that the host has");
	if (!strlist_has(authorities, ca)) {
		const struct hostkey k = {c->authority.buf, c->authority.len};
		auto_free char *print = hostkey_fingerprint(&k);

		return err_set(err, "it is signed by %s, which is no @cert-authority for this host",
		               print);
	}
	if (c->kind != KIND_HOST)
		return err_set(err, "it is for a user, not for a host");
	if (!names_host(c, name))
		return err_set(err, "it does not name %s", name);
	if (check_time(c, now, err) < 0)
		return -1;
	if (c->options.len)
		return err_set(err, "it has critical options, and none is known for hosts");
	if (!signature_good(c, data))
		return err_set(err, "its signature is wrong");
	return 0;
}

int hostcert_check(const void *data, size_t len, const struct hostkey *proved, const char *name,
                   const struct strlist *authorities, time_t now, struct err *err)
{
	struct hostcert c;
	int rc = hostcert_parse(data, len, &c, err);

	if (rc == 0) {
		rc = check(&c, data, proved, name, authorities, now, err);
		hostcert_release(&c);
	}
	return rc;
}
