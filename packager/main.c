// SPDX-License-Identifier: Apache-2.0

/* kubecask-pack: makes the offline bundle of one Kubernetes version. */

#include "cli.h"
#include "err.h"
#include "fs.h"
#include "log.h"
#include "mem.h"
#include "package.h"
#include "plan.h"
#include "zst.h"

#include <string.h>
#include <unistd.h>

struct options {
	struct settings set;
	const char *version, *source, *arch;
	bool man;
};

static const char text[] =
    "All Go programs are compiled from the modules that releases/ names; kubeadm with the patches "
    "of kubeadm-patches/. The lock file beside the release holds a hash of every input, and "
    "anything else is refused. Steps whose inputs did not change are not run again.";

static int check_version(const struct options *o, struct err *err)
{
	if (!o->version || !*o->version)
		return err_set_code(err, EXIT_USAGE,
		                    "which Kubernetes version? Give --k8s-version v1.37.2 "
		                    "(make package K8S_VERSION=v1.37.2)");
	if (!release_version_ok(o->version))
		return err_set_code(err, EXIT_USAGE,
		                    "--k8s-version: \"%s\" is not of the form v1.37.2",
		                    o->version);
	if (strcmp(o->source, "modules") != 0)
		return err_set_code(err, EXIT_USAGE,
		                    "--source: \"%s\" is not supported, only modules", o->source);
	if (strcmp(o->arch, "amd64") != 0)
		return err_set_code(err, EXIT_USAGE,
		                    "--arch: \"%s\" is not supported, only amd64", o->arch);
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
	                {"--install", s->install}};

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (access(programs[i].path, X_OK) < 0)
			return err_set(err, "%s: %s is not there; run make first",
			               programs[i].option, programs[i].path);
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = {
	    .set = {.parts = "packager/parts", .patches = "kubeadm-patches",
	            .releases = "releases", .work = "build/pack", .out = "dist",
	            .lvscare = "build/lvscare", .pause = "build/pause",
	            .netfilter_select = "build/netfilter-select", .install = "build/install",
	            .level = 19},
	    .source = "modules",
	    .arch = "amd64",
	};
	const struct cli_option options[] = {
	    {.name = "k8s-version", .kind = CLI_STRING, .arg = "VERSION", .dest = &o.version,
	     .help = "Kubernetes version, such as v1.37.2"},
	    {.letter = 'o', .name = "out", .kind = CLI_STRING, .arg = "DIR", .dest = &o.set.out,
	     .help = "Where the bundle goes (dist)"},
	    {.name = "zstd-level", .kind = CLI_UINT, .arg = "N", .dest = &o.set.level, .min = 1,
	     .max = ZST_LEVEL_MAX, .help = "Compression: 19 for releases, 3 for tests (19)"},
	    {.letter = 'j', .name = "jobs", .kind = CLI_UINT, .arg = "N", .dest = &o.set.jobs,
	     .min = 1, .max = 64, .help = "Steps at the same time (one for each processor)"},
	    {.name = "update-lock", .kind = CLI_FLAG, .dest = &o.set.update_lock,
	     .help = "Take today's inputs and write their hashes to releases/VERSION.lock"},
	    {.name = "source", .kind = CLI_STRING, .arg = "KIND", .dest = &o.source,
	     .help = "Where the parts come from: modules (modules)"},
	    {.name = "arch", .kind = CLI_STRING, .arg = "ARCH", .dest = &o.arch,
	     .help = "Architecture of the nodes: amd64 (amd64)"},
	    {.name = "work", .kind = CLI_STRING, .arg = "DIR", .dest = &o.set.work,
	     .help = "Where results of steps are kept (build/pack)"},
	    {.name = "parts", .kind = CLI_STRING, .arg = "DIR", .dest = &o.set.parts,
	     .help = "What is compiled and shipped (packager/parts)"},
	    {.name = "patches", .kind = CLI_STRING, .arg = "DIR", .dest = &o.set.patches,
	     .help = "Patches for kubeadm (kubeadm-patches)"},
	    {.name = "releases", .kind = CLI_STRING, .arg = "DIR", .dest = &o.set.releases,
	     .help = "Component versions and locks (releases)"},
	    {.name = "lvscare", .kind = CLI_STRING, .arg = "FILE", .dest = &o.set.lvscare,
	     .help = "The lvscare program (build/lvscare)"},
	    {.name = "pause", .kind = CLI_STRING, .arg = "FILE", .dest = &o.set.pause,
	     .help = "The pause program (build/pause)"},
	    {.name = "netfilter-select", .kind = CLI_STRING, .arg = "FILE",
	     .dest = &o.set.netfilter_select,
	     .help = "The program that chooses an iptables (build/netfilter-select)"},
	    {.name = "install", .kind = CLI_STRING, .arg = "FILE", .dest = &o.set.install,
	     .help = "The installer, put beside the bundle (build/install)"},
	    {.name = "man", .kind = CLI_FLAG, .dest = &o.man, .help = NULL},
	    {0},
	};
	const struct cli_command cmd = {
	    .prog = "kubecask-pack",
	    .synopsis = "--k8s-version VERSION [options]",
	    .summary = "make the offline bundle of one Kubernetes version",
	    .text = text,
	    .options = options,
	};
	struct err err = {0};
	int rc;

	log_init("kubecask-pack", LOG_LVL_INFO);
	rc = cli_parse(&cmd, argc, argv, NULL, &err);
	if (rc > 0)
		return EXIT_OK;
	if (rc == 0 && o.man) {
		cli_man(&cmd, NULL, stdout);
		return EXIT_OK;
	}
	if (!o.set.jobs)
		o.set.jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (rc < 0 || check_version(&o, &err) < 0 || check_programs(&o.set, &err) < 0 ||
	    package_make(&o.set, o.version, &err) < 0)
		return log_err(&err);
	return EXIT_OK;
}
