// SPDX-License-Identifier: Apache-2.0
#include "sbom.h"

#include "conf.h"
#include "digest.h"
#include "mem.h"
#include "part.h"
#include "plan.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUNDLE_ID "SPDXRef-bundle"

struct sbom {
	json_t *packages, *relations;
	struct strlist ids; /* of packages that are there */
};

/* An SPDX id has letters, digits, '.' and '-'; the caller's. */
static char *make_id(const char *kind, const char *name, const char *version)
{
	char *id = xasprintf("SPDXRef-%s-%s-%s", kind, name, version);

	for (char *p = id; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '.')
			*p = '-';
	return id;
}

/* Terms are in the files that lie beside the programs; what they are called is not guessed. */
static json_t *package(const char *id, const char *name, const char *version, const char *purl)
{
	json_t *p = json_pack("{ss ss ss ss sb ss ss ss}", "SPDXID", id, "name", name,
	                      "versionInfo", version, "downloadLocation", "NOASSERTION",
	                      "filesAnalyzed", 0, "licenseConcluded", "NOASSERTION",
	                      "licenseDeclared", "NOASSERTION", "copyrightText", "NOASSERTION");

	if (purl)
		json_object_set_new(p, "externalRefs",
		                    json_pack("[{ss ss ss}]", "referenceCategory",
		                              "PACKAGE-MANAGER", "referenceType", "purl",
		                              "referenceLocator", purl));
	return p;
}

static void relate(struct sbom *s, const char *from, const char *what, const char *to)
{
	json_array_append_new(s->relations,
	                      json_pack("{ss ss ss}", "spdxElementId", from, "relationshipType",
	                                what, "relatedSpdxElement", to));
}

static void add_package(struct sbom *s, const char *id, json_t *p)
{
	if (strlist_has(&s->ids, id)) {
		json_decref(p);
		return;
	}
	strlist_add(&s->ids, id);
	json_array_append_new(s->packages, p);
}

/* "k8s.io/api v0.37.2", linked into the component. */
static void add_module(struct sbom *s, const char *component, const char *module)
{
	auto_free char *path = NULL, *version = NULL;
	auto_free char *purl = NULL, *id = NULL;

	part_module(module, &path, &version);
	purl = xasprintf("pkg:golang/%s@%s", path, version);
	id = make_id("go", path, version);
	add_package(s, id, package(id, path, version, purl));
	relate(s, component, "STATIC_LINK", id);
}

static void add_component(struct sbom *s, const struct plan *p, size_t i)
{
	const struct part *part = &p->parts[i];
	const char *module, *patches = conf_get(&p->release.vars, "kubeadm-patches");
	auto_free char *path = NULL, *version = NULL, *id = NULL;
	json_t *package_of;
	size_t at = 0;

	part_module(part->modules.v[0], &path, &version);
	id = make_id("component", part->component, version);
	package_of = package(id, part->component, version, NULL);
	if (part->series && patches)
		json_object_set_new(
		    package_of, "sourceInfo",
		    json_sprintf("kubeadm with kubecask's patches, digest %s", patches));
	add_package(s, id, package_of);
	relate(s, BUNDLE_ID, "CONTAINS", id);
	while ((module = conf_next(&p->compiled[i]->record, "linked", &at)))
		add_module(s, id, module);
}

/* "deb nft 1:2-3 sha256:..." */
static void add_deb(struct sbom *s, const char *line)
{
	auto_free char *copy = xstrdup(line), *id = NULL, *purl = NULL;
	const char *name, *version, *digest;
	json_t *p;

	strtok(copy, " ");
	name = strtok(NULL, " ");
	version = strtok(NULL, " ");
	digest = strtok(NULL, " ");
	if (!digest)
		return;
	id = make_id("deb", name, version);
	purl = xasprintf("pkg:deb/debian/%s@%s?arch=amd64&distro=debian-12", name, version);
	p = package(id, name, version, purl);
	json_object_set_new(p, "checksums",
	                    json_pack("[{ss ss}]", "algorithm", "SHA256", "checksumValue",
	                              digest + strlen("sha256:")));
	add_package(s, id, p);
	relate(s, BUNDLE_ID, "CONTAINS", id);
}

static void add_debs(struct sbom *s, const struct plan *p)
{
	for (size_t i = 0; i < p->n_debs; i++) {
		const char *line;
		size_t at = 0;

		while ((line = conf_next(&p->debs[i].step->record, "lock", &at)))
			if (strncmp(line, "deb ", 4) == 0)
				add_deb(s, line);
	}
}

/* A document's name space is its own: a digest of what it says. */
static json_t *document(const struct plan *p, struct sbom *s)
{
	auto_free char *text = json_dumps(s->packages, JSON_COMPACT);
	time_t epoch = (time_t)p->release.epoch;
	struct digest d;
	char created[32];
	struct tm tm;

	gmtime_r(&epoch, &tm);
	strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
	digest_data(text, strlen(text), &d);
	return json_pack("{ss ss ss so so s{ss s[s]} so so}", "spdxVersion", "SPDX-2.3",
	                 "dataLicense", "CC0-1.0", "SPDXID", "SPDXRef-DOCUMENT", "name",
	                 json_sprintf("kubecask-%s-linux-amd64", p->release.version),
	                 "documentNamespace", json_sprintf("urn:kubecask:sbom:%s", d.str),
	                 "creationInfo", "created", created, "creators",
	                 "Tool: kubecask-pack-" KUBECASK_VERSION, "packages", s->packages,
	                 "relationships", s->relations);
}

char *sbom_make(const struct plan *p)
{
	struct sbom s = {.packages = json_array(), .relations = json_array()};
	json_t *doc;
	char *text;

	add_package(&s, BUNDLE_ID, package(BUNDLE_ID, "kubecask", p->release.version, NULL));
	relate(&s, "SPDXRef-DOCUMENT", "DESCRIBES", BUNDLE_ID);
	for (size_t i = 0; i < p->n_parts; i++)
		add_component(&s, p, i);
	add_debs(&s, p);
	doc = document(p, &s);
	text = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	strlist_release(&s.ids);
	return text;
}
