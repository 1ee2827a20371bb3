// SPDX-License-Identifier: Apache-2.0
/* Which keys are offered to a server, and which passphrases have to be asked for before. */
#include "sshpriv.h"

#include "err.h"
#include "fs.h"
#include "host.h"
#include "mem.h"
#include "prompt.h"
#include "sshkey.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASK_TIMES 3

static const char *const standard[] = {"id_rsa", "id_ecdsa", "id_ed25519"};

/* The standard keys that are there. */
static void add_standard(struct strlist *out)
{
	for (size_t i = ARRAY_SIZE(standard); ssh_home() && i-- > 0;) {
		auto_free char *path = xasprintf("%s/.ssh/%s", ssh_home(), standard[i]);

		if (access(path, R_OK) == 0)
			strlist_add(out, path);
	}
}

/* ---- the agent ---- */

static LIBSSH2_AGENT *open_agent(LIBSSH2_SESSION *session, const char *socket)
{
	LIBSSH2_AGENT *agent = socket ? libssh2_agent_init(session) : NULL;

	if (!agent)
		return NULL;
	libssh2_agent_set_identity_path(agent, socket);
	if (libssh2_agent_connect(agent) == 0 && libssh2_agent_list_identities(agent) == 0)
		return agent;
	libssh2_agent_disconnect(agent);
	libssh2_agent_free(agent);
	return NULL;
}

static void close_agent(LIBSSH2_AGENT *agent)
{
	if (!agent)
		return;
	libssh2_agent_disconnect(agent);
	libssh2_agent_free(agent);
}

static struct libssh2_agent_publickey *agent_next(LIBSSH2_AGENT *agent,
                                                  struct libssh2_agent_publickey *before)
{
	struct libssh2_agent_publickey *id = NULL;

	return agent && libssh2_agent_get_identity(agent, &id, before) == 0 ? id : NULL;
}

static struct libssh2_agent_publickey *agent_find(LIBSSH2_AGENT *agent, const struct strbuf *blob)
{
	struct libssh2_agent_publickey *id = NULL;

	while (blob->len && (id = agent_next(agent, id)))
		if (id->blob_len == blob->len && memcmp(id->blob, blob->buf, blob->len) == 0)
			return id;
	return NULL;
}

/* ---- offers ---- */

static struct offer *add_offer(struct offers *o, char *label)
{
	o->v = xreallocarray(o->v, o->n + 1, sizeof(*o->v));
	o->v[o->n] = (struct offer){.label = label};
	return &o->v[o->n++];
}

static void add_unused(struct offers *o, const char *file, const char *why)
{
	strbuf_addf(&o->unused, "%skey %s %s", o->unused.len ? ", " : "", file, why);
}

static const char *passphrase_of(const struct ssh_config *cfg, const char *file)
{
	for (size_t i = 0; i < cfg->unlocked_n; i++)
		if (strcmp(cfg->unlocked[i].file, file) == 0)
			return cfg->unlocked[i].passphrase;
	return NULL;
}

/* Is the certificate (blob) made from this public key? Its key stands behind type and nonce. */
static bool certifies(const struct strbuf *cert, const struct strbuf *key)
{
	size_t type = key->len > 4 ? 4 + (unsigned char)key->buf[3] : 0;

	/* the fields of a key are the same bytes in its certificate */
	return type && key->len > type && cert->len > key->len &&
	       memmem(cert->buf, cert->len, key->buf + type, key->len - type);
}

static void offer_certificate(struct offers *o, struct ssh *s, const char *cert, const char *file,
                              const struct sshkey *key)
{
	struct sshkey c = {0};
	struct err ignored = {0};
	struct offer *f;

	if (access(cert, R_OK) == 0 && sshkey_read(cert, &c, &ignored) == 0 && !c.private &&
	    certifies(&c.public, &key->public)) {
		struct libssh2_agent_publickey *id = agent_find(o->agent, &c.public);

		if (id || (key->private && (!key->encrypted || passphrase_of(s->cfg, file)))) {
			f = add_offer(o, xasprintf("certificate %s", cert));
			f->agent_key = id;
			f->file = xstrdup(file);
			f->public = xstrdup(cert);
			f->passphrase = passphrase_of(s->cfg, file);
		}
	}
	sshkey_release(&c);
}

static void offer_file(struct offers *o, struct ssh *s, const char *file)
{
	auto_free char *cert = xasprintf("%s-cert.pub", file);
	struct sshkey key;
	struct err err = {0};
	struct libssh2_agent_publickey *id;
	struct offer *f;

	if (sshkey_read(file, &key, &err) < 0) {
		auto_free char *why = xasprintf("cannot be used (%s)", err.msg);

		add_unused(o, file, why);
		return;
	}
	offer_certificate(o, s, cert, file, &key);
	for (size_t i = 0; i < s->login.certificates.n; i++)
		if (strcmp(s->login.certificates.v[i], cert) != 0)
			offer_certificate(o, s, s->login.certificates.v[i], file, &key);
	id = agent_find(o->agent, &key.public);
	if (!id && !key.private)
		add_unused(o, file, "is a public key, and no agent holds the private one");
	else if (!id && key.encrypted && !passphrase_of(s->cfg, file))
		add_unused(o, file,
		           "has a passphrase that was not given (a terminal to ask on, or "
		           "an ssh agent)");
	else {
		f = add_offer(o, xasprintf("key %s", file));
		f->agent_key = id;
		f->file = xstrdup(file);
		f->passphrase = passphrase_of(s->cfg, file);
	}
	sshkey_release(&key);
}

static bool offered(const struct offers *o, const struct libssh2_agent_publickey *id)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].agent_key == id)
			return true;
	return false;
}

void offers_init(struct offers *o, struct ssh *s)
{
	struct libssh2_agent_publickey *id = NULL;
	auto_strlist more = {0};

	*o = (struct offers){.agent = open_agent(s->session, s->login.agent)};
	for (size_t i = 0; i < s->login.identities.n; i++)
		offer_file(o, s, s->login.identities.v[i]);
	o->named = o->n;
	while (!s->login.identities_only && (id = agent_next(o->agent, id)))
		if (!offered(o, id))
			add_offer(o, xasprintf("agent key %s",
			                       id->comment && *id->comment ? id->comment : "?"))
			    ->agent_key = id;
	if (s->login.default_identities)
		add_standard(&more);
	for (size_t i = 0; i < more.n; i++)
		offer_file(o, s, more.v[i]);
}

void offers_release(struct offers *o)
{
	for (size_t i = 0; i < o->n; i++) {
		free(o->v[i].label);
		free(o->v[i].file);
		free(o->v[i].public);
	}
	free(o->v);
	strbuf_release(&o->unused);
	close_agent(o->agent);
	*o = (struct offers){0};
}

/* ---- passphrases ---- */

/* Does the passphrase open the file? libssh2 reads the key before it sends anything, and here it
 * cannot send. */
static bool opens(const char *file, const char *passphrase)
{
	struct ssh s = {.fd = -1};
	struct err ignored = {0};
	int rc;

	s.session = ssh_session(&s, &ignored);
	if (!s.session)
		return false;
	rc = libssh2_userauth_publickey_fromfile_ex(s.session, "root", 4, NULL, file, passphrase);
	libssh2_session_free(s.session);
	return rc != LIBSSH2_ERROR_FILE && rc != LIBSSH2_ERROR_KEYFILE_AUTH_FAILED;
}

static int ask_for(struct ssh_config *cfg, const char *file, struct err *err)
{
	auto_free char *question = xasprintf("passphrase of %s: ", file);

	for (int i = 0; i < ASK_TIMES; i++) {
		struct err none = {0};
		char *answer = prompt_secret(question, "", &none);
		bool good = answer && *answer && opens(file, answer);

		if (!answer && *none.msg)
			return err_set_code(err, none.code, "%s: %s", file, none.msg);
		if (!good && answer && *answer) {
			explicit_bzero(answer, strlen(answer));
			free(answer);
			continue;
		}
		if (good) {
			cfg->unlocked = xreallocarray(cfg->unlocked, cfg->unlocked_n + 1,
			                              sizeof(*cfg->unlocked));
			cfg->unlocked[cfg->unlocked_n++] = (struct ssh_unlocked){
			    .file = xstrdup(file), .passphrase = answer};
			return 0;
		}
		free(answer);
		return 0;
	}
	return err_set(err, "key %s: %d wrong passphrases", file, ASK_TIMES);
}

struct asking {
	struct ssh_config *cfg;
	struct strlist *seen;
};

static bool agent_holds(const struct ssh_login *l, const struct sshkey *key, bool any)
{
	struct ssh s = {.fd = -1};
	struct err ignored = {0};
	LIBSSH2_AGENT *agent;
	bool holds;

	s.session = l->agent ? ssh_session(&s, &ignored) : NULL;
	if (!s.session)
		return false;
	agent = open_agent(s.session, l->agent);
	holds = any ? agent_next(agent, NULL) != NULL : agent_find(agent, &key->public) != NULL;
	close_agent(agent);
	libssh2_session_free(s.session);
	return holds;
}

static int unlock_file(struct asking *a, const struct ssh_login *l, const char *file, bool named,
                       struct err *err)
{
	struct sshkey key = {0};
	struct err ignored = {0};
	int rc = 0;

	if (strlist_has(a->seen, file))
		return 0;
	strlist_add(a->seen, file);
	/* a standard key is one of several ways in: it is asked for when there is no other */
	if (sshkey_read(file, &key, &ignored) == 0 && key.private && key.encrypted &&
	    (named || !a->cfg->password) && !agent_holds(l, &key, !named))
		rc = ask_for(a->cfg, file, err);
	sshkey_release(&key);
	return rc;
}

static int unlock_login(struct asking *a, const struct ssh_login *l, struct err *err)
{
	auto_strlist more = {0};

	for (size_t i = 0; i < l->identities.n; i++)
		if (unlock_file(a, l, l->identities.v[i], true, err) < 0)
			return -1;
	if (l->default_identities)
		add_standard(&more);
	for (size_t i = 0; i < more.n; i++)
		if (unlock_file(a, l, more.v[i], false, err) < 0)
			return -1;
	return 0;
}

static int unlock_hops(struct asking *a, const char *chain, struct err *err)
{
	auto_free char *rest = chain ? xstrdup(chain) : NULL;

	for (int depth = 0; rest && depth < HOPS_MAX; depth++) {
		struct ssh_login l;
		char *before;
		int rc;

		if (jump_login(rest, a->cfg, &l, &before, err) < 0)
			return -1;
		rc = unlock_login(a, &l, err);
		ssh_login_release(&l);
		free(rest);
		rest = before;
		if (rc < 0)
			return -1;
	}
	return 0;
}

int ssh_unlock(struct ssh_config *cfg, const struct hostlist *hosts, struct err *err)
{
	auto_strlist seen = {0};
	struct asking a = {.cfg = cfg, .seen = &seen};
	bool terminal = access("/dev/tty", R_OK | W_OK) == 0;

	for (size_t i = 0; i < hosts->n; i++) {
		struct ssh_login l;
		int rc;

		if (hosts->v[i].local)
			continue;
		if (ssh_login_of(&hosts->v[i], cfg, &l, err) < 0)
			return err_wrap(err, "%s", hosts->v[i].name);
		rc = terminal ? unlock_login(&a, &l, err) : 0;
		if (rc == 0 && l.jump)
			rc = unlock_hops(&a, l.jump, err);
		ssh_login_release(&l);
		if (rc < 0)
			return -1;
	}
	return 0;
}

void ssh_config_release(struct ssh_config *ssh)
{
	strlist_release(&ssh->identities);
	free(ssh->known_hosts);
	free(ssh->jump);
	if (ssh->password)
		explicit_bzero(ssh->password, strlen(ssh->password));
	free(ssh->password);
	for (size_t i = 0; i < ssh->unlocked_n; i++) {
		explicit_bzero(ssh->unlocked[i].passphrase, strlen(ssh->unlocked[i].passphrase));
		free(ssh->unlocked[i].passphrase);
		free(ssh->unlocked[i].file);
	}
	free(ssh->unlocked);
	*ssh = (struct ssh_config){0};
}
