// SPDX-License-Identifier: Apache-2.0
/* What the options say about machines and logins. */
#include "options.h"

#include "err.h"
#include "fs.h"
#include "host.h"
#include "inventory.h"
#include "mem.h"
#include "prompt.h"
#include "sshconf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char options_default_user[] = "root";

struct remembered {
	char *password;
};

int options_load_ssh(struct options *o, struct err *err)
{
	o->secrets = xcalloc(1, sizeof(*o->secrets));
	o->sshconf = sshconf_load(o->ssh_config, err);
	return o->sshconf ? 0 : -1;
}

void options_release_ssh(struct options *o)
{
	if (o->secrets && o->secrets->password) {
		explicit_bzero(o->secrets->password, strlen(o->secrets->password));
		free(o->secrets->password);
	}
	free(o->secrets);
	sshconf_free(o->sshconf);
	o->secrets = NULL;
	o->sshconf = NULL;
}

/* ---- machines ---- */

static void begin(const struct options *o, struct hostlist *hosts)
{
	hosts->conf = o->sshconf;
	hosts->jumps = o->jump && strcmp(o->jump, "none") != 0;
}

int options_hosts(const struct options *o, struct hostlist *hosts, struct err *err)
{
	begin(o, hosts);
	if (o->hosts && (o->masters.n || o->nodes.n))
		return err_set_code(err, EXIT_USAGE, "--hosts and %s: name the machines in one way",
		                    o->masters.n ? "--master" : "--node");
	if (o->hosts && inventory_read(o->hosts, hosts, err) < 0)
		return -1;
	for (size_t i = 0; i < o->masters.n; i++)
		if (hostlist_add(hosts, o->masters.v[i], true, err) < 0)
			return -1;
	for (size_t i = 0; i < o->nodes.n; i++)
		if (hostlist_add(hosts, o->nodes.v[i], false, err) < 0)
			return -1;
	return hostlist_mark_local(hosts, err);
}

int options_host(const struct options *o, struct hostlist *hosts, const char *spec, bool master,
                 struct err *err)
{
	begin(o, hosts);
	return hostlist_add(hosts, spec, master, err);
}

/* ---- logins ---- */

static char *ask_password(const struct options *o, struct err *err)
{
	bool given = o->user != options_default_user;
	auto_free char *prompt = xasprintf("password%s%s (login and sudo): ", given ? " of " : "",
	                                   given ? o->user : "");

	return prompt_secret(prompt, "--ask-pass: no terminal to ask on; use --password-file", err);
}

static int find_password(const struct options *o, struct ssh_config *ssh, struct err *err)
{
	struct remembered *r = o->secrets;

	if (o->ask_pass && o->password_file)
		return err_set_code(err, EXIT_USAGE,
		                    "--ask-pass and --password-file: choose one of them");
	if (!o->ask_pass && !o->password_file)
		return 0;
	if (!r->password)
		r->password = o->ask_pass ? ask_password(o, err)
		                          : prompt_password_file(o->password_file, err);
	if (!r->password)
		return -1;
	ssh->password = xstrdup(r->password);
	return 0;
}

static int find_identities(const struct options *o, struct ssh_config *ssh, struct err *err)
{
	for (size_t i = 0; i < o->identities.n; i++) {
		auto_free char *pub = xasprintf("%s.pub", o->identities.v[i]);

		/* with the public half alone an agent may hold the key */
		if (access(o->identities.v[i], R_OK) < 0 && (errno != ENOENT || !fs_exists(pub)))
			return err_set_code(err, EXIT_USAGE, "--identity %s: %s",
			                    o->identities.v[i], strerror(errno));
		strlist_add(&ssh->identities, o->identities.v[i]);
	}
	return 0;
}

int options_ssh(const struct options *o, struct ssh_config *ssh, struct err *err)
{
	*ssh = (struct ssh_config){.user = o->user,
	                           .user_given = o->user != options_default_user,
	                           .host_key_given = o->host_key != NULL,
	                           .conf = o->sshconf};
	if (o->host_key && strcmp(o->host_key, "accept-new") == 0)
		ssh->accept_new = true;
	else if (o->host_key && strcmp(o->host_key, "strict") != 0)
		return err_set_code(err, EXIT_USAGE,
		                    "--host-key: \"%s\" is neither strict nor accept-new",
		                    o->host_key);
	if (o->known_hosts)
		ssh->known_hosts = xstrdup(o->known_hosts);
	if (o->jump)
		ssh->jump = xstrdup(o->jump);
	if (find_identities(o, ssh, err) < 0)
		return -1;
	return find_password(o, ssh, err);
}
