// SPDX-License-Identifier: Apache-2.0

/* kubecask-pack: makes the offline bundle of one Kubernetes version, and signs it. */

#include "cli.h"
#include "err.h"
#include "fs.h"
#include "log.h"
#include "mem.h"
#include "package.h"
#include "plan.h"
#include "sign.h"
#include "zst.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
	struct settings set;
	const char *version, *source, *arch;
	bool man;
};

static const char text[] =
    "All Go programs are compiled from the modules that releases/ names; kubeadm with the patches "
    "of kubeadm-patches/. The lock file beside the release holds a hash of every input, and "
    "anything else is refused. Steps whose inputs did not change are not run again.\n\n"
    "Commands: keygen makes a key, sign signs a bundle that is made; COMMAND --help says more.";

static int check_version(const struct options *o, struct err *err)
{
	if (!o->version || !*o->version)
		return err_set_code(err, EXIT_USAGE,
		                    "which Kubernetes version? Give --k8s-version v1.37.2 "
		                    "(make package K8S_VERSION=v1.37.2)");
	if (!release_version_ok(o->version))
		return err_set_code(err, EXIT_USAGE,
		                    "--k8s-version: \"%s\" is not of the form v1.37.2", o->version);
	if (strcmp(o->source, "modules") != 0)
		return err_set_code(err, EXIT_USAGE,
		                    "--source: \"%s\" is not supported, only modules", o->source);
	if (strcmp(o->arch, "amd64") != 0)
		return err_set_code(err, EXIT_USAGE, "--arch: \"%s\" is not supported, only amd64",
		                    o->arch);
	return 0;
}

/* The programs that go into the bundle must have been made before. */
static int check_programs(const struct settings *s, struct err *err)
{
	const struct {
		const char *option, *path;
	} programs[] = {{"--lvscare", s->lvscare},
	                {"--pause", s->pause},
	                {"--netfilter-select", s->netfilter_select},
	                {"--log-runner", s->log_runner},
	                {"--nft", s->nft},
	                {"--install", s->install}};

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (access(programs[i].path, X_OK) < 0)
			return err_set(err, "%s: %s is not there; run make first",
			               programs[i].option, programs[i].path);
	return 0;
}

struct sign_options {
	const char *key, *signer;
	struct strlist operands;
};

/* The rows of the command "sign", with room for the last one. */
static void sign_rows(struct sign_options *o, struct cli_option rows[static 3])
{
	const struct cli_option all[] = {
	    {.name = "key",
	     .kind = CLI_STRING,
	     .arg = "FILE",
	     .help = "The secret key. A passphrase is asked for.",
	     .dest = &o->key},
	    {.name = "signer",
	     .kind = CLI_STRING,
	     .arg = "COMMAND",
	     .help = "Signs instead, where the key is elsewhere: a shell command that prints a "
	             "signature of the file \"$1\" in minisign's format.",
	     .dest = &o->signer},
	};

	memcpy(rows, all, sizeof(all));
	rows[2] = (struct cli_option){0};
}

static const struct cli_option no_rows[] = {{0}};
static const struct cli_command keygen = {
    "kubecask-pack keygen", "FILE", "make a key that bundles are signed with",
    "FILE is the secret key (Ed25519, PEM, without a passphrase: openssl pkey -aes256 gives it "
    "one), FILE.pub its public half, which operators put into the directory keys beside install.",
    no_rows};

static struct cli_command sign_command(const struct cli_option *rows)
{
	return (struct cli_command){
	    "kubecask-pack sign", "[options] BUNDLE", "add a signature to a bundle",
	    "The signature is a member of the bundle, in minisign's format, over index.json, which "
	    "names all the rest by digest. Bundles may have several, of several keys.",
	    rows};
}

static int run_keygen(int argc, char **argv, struct err *err)
{
	struct strlist operands = {0};
	int rc = cli_parse(&keygen, argc, argv, &operands, err);

	if (rc == 0 && operands.n != 1)
		rc = err_set_code(err, EXIT_USAGE, "keygen: one file");
	if (rc == 0)
		rc = sign_keygen(operands.v[0], err);
	strlist_release(&operands);
	return rc;
}

static int run_sign(int argc, char **argv, struct err *err)
{
	struct sign_options o = {0};
	struct cli_option rows[3];
	struct cli_command cmd = sign_command(rows);
	int rc;

	sign_rows(&o, rows);
	rc = cli_parse(&cmd, argc, argv, &o.operands, err);
	if (rc == 0 && o.operands.n != 1)
		rc = err_set_code(err, EXIT_USAGE, "sign: one bundle");
	if (rc == 0 && !o.key == !o.signer)
		rc = err_set_code(err, EXIT_USAGE, "sign: either --key or --signer");
	if (rc == 0)
		rc = sign_bundle(o.operands.v[0], &(struct sign_by){o.key, o.signer}, err);
	strlist_release(&o.operands);
	return rc;
}

static void man(const struct cli_command *package)
{
	struct sign_options o;
	struct cli_option rows[3];
	struct cli_command sign = sign_command(rows);
	const struct cli_command *more[] = {&keygen, &sign, NULL};

	sign_rows(&o, rows);
	cli_man(package, more, stdout);
}

/* Returns as cli_parse does; 1 also after --man. */
static int parse(struct options *o, int argc, char **argv, struct err *err)
{
	struct settings *s = &o->set;
	const struct cli_option rows[] = {
	    {0, "k8s-version", CLI_STRING, "VERSION", "Kubernetes version, such as v1.37.2",
	     &o->version, 0, 0, false},
	    {'o', "out", CLI_STRING, "DIR", "Where the bundle goes (dist)", &s->out, 0, 0, false},
	    {0, "zstd-level", CLI_UINT, "N", "Compression: 19 for releases, 3 for tests (19)",
	     &s->level, 1, ZST_LEVEL_MAX, false},
	    {'j', "jobs", CLI_UINT, "N", "Steps at the same time (one for each processor)",
	     &s->jobs, 1, 64, false},
	    {0, "update-lock", CLI_FLAG, NULL,
	     "Take today's inputs and write their hashes to releases/VERSION.lock", &s->update_lock,
	     0, 0, false},
	    {0, "source", CLI_STRING, "KIND", "Where the parts come from: modules (modules)",
	     &o->source, 0, 0, false},
	    {0, "arch", CLI_STRING, "ARCH", "Architecture of the nodes: amd64 (amd64)", &o->arch, 0,
	     0, false},
	    {0, "work", CLI_STRING, "DIR", "Where results of steps are kept (build/pack)", &s->work,
	     0, 0, false},
	    {0, "keep", CLI_UINT, "N",
	     "Results of each step that stay there: versions and levels made in turn (4)", &s->keep,
	     1, 1000, false},
	    {0, "parts", CLI_STRING, "DIR", "What is compiled and shipped (packager/parts)",
	     &s->parts, 0, 0, false},
	    {0, "patches", CLI_STRING, "DIR", "Patches for kubeadm (kubeadm-patches)", &s->patches,
	     0, 0, false},
	    {0, "releases", CLI_STRING, "DIR", "Component versions and locks (releases)",
	     &s->releases, 0, 0, false},
	    {0, "lvscare", CLI_STRING, "FILE", "The lvscare program (build/lvscare)", &s->lvscare,
	     0, 0, false},
	    {0, "pause", CLI_STRING, "FILE", "The pause program (build/pause)", &s->pause, 0, 0,
	     false},
	    {0, "netfilter-select", CLI_STRING, "FILE",
	     "The program that chooses an iptables (build/netfilter-select)", &s->netfilter_select,
	     0, 0, false},
	    {0, "log-runner", CLI_STRING, "FILE",
	     "The entrypoint of the control plane's images (build/log-runner)", &s->log_runner, 0,
	     0, false},
	    {0, "nft", CLI_STRING, "FILE",
	     "The program that runs the bundle's nft on a node (build/nft)", &s->nft, 0, 0, false},
	    {0, "install", CLI_STRING, "FILE",
	     "The installer, put beside the bundle (build/install)", &s->install, 0, 0, false},
	    {0, "images", CLI_STRING, "DIR",
	     "Make the archive of images that DIR describes instead (see tests/conformance)",
	     &s->images, 0, 0, false},
	    {0, "tree", CLI_LIST, "NAME=DIR", "A tree that a layer of these images is made of",
	     &s->trees, 0, 0, false},
	    {0, "man", CLI_FLAG, NULL, NULL, &o->man, 0, 0, false},
	    {0},
	};
	const struct cli_command cmd = {"kubecask-pack", "--k8s-version VERSION [options]",
	                                "make the offline bundle of one Kubernetes version", text,
	                                rows};
	int rc = cli_parse(&cmd, argc, argv, NULL, err);

	if (rc == 0 && o->man) {
		man(&cmd);
		return 1;
	}
	return rc;
}

static int make(struct options *o, struct err *err)
{
	if (check_version(o, err) < 0 || check_programs(&o->set, err) < 0)
		return -1;
	return package_make(&o->set, o->version, err);
}

static int package(struct options *o, int argc, char **argv, struct err *err)
{
	int rc = parse(o, argc, argv, err);

	return rc == 0 ? make(o, err) : rc;
}

int main(int argc, char **argv)
{
	struct options o = {
	    .set = {.parts = "packager/parts",
	            .patches = "kubeadm-patches",
	            .releases = "releases",
	            .work = "build/pack",
	            .out = "dist",
	            .lvscare = "build/lvscare",
	            .pause = "build/pause",
	            .netfilter_select = "build/netfilter-select",
	            .log_runner = "build/log-runner",
	            .nft = "build/nft",
	            .install = "build/install",
	            .level = 19,
	            .keep = 4,
	            .jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN)},
	    .source = "modules",
	    .arch = "amd64",
	};
	struct err err = {0};
	int rc;

	umask(022); /* modes of what is made do not depend on who makes it */
	log_init("kubecask-pack", LOG_LVL_INFO);
	if (argc > 1 && strcmp(argv[1], "keygen") == 0)
		rc = run_keygen(argc - 1, argv + 1, &err);
	else if (argc > 1 && strcmp(argv[1], "sign") == 0)
		rc = run_sign(argc - 1, argv + 1, &err);
	else
		rc = package(&o, argc, argv, &err);
	strlist_release(&o.set.trees);
	return rc < 0 ? log_err(&err) : EXIT_OK;
}
