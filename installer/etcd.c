// SPDX-License-Identifier: Apache-2.0
#include "etcd.h"

#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "staticpods.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ETCDCTL    DIR_CURRENT "/bin/etcdctl"
#define COMMAND_S  12                   /* etcdctl's own limits end before */
#define NOT_LEADER "no leader endpoint" /* etcdctl move-leader */
#define SNAPSHOT_S 300                  /* 8 GiB, etcd's largest database, at 30 MB/s */

/* ---- what etcdctl prints ---- */

/* Value of a line `"Key" : value`; strings are quoted as in Go, URLs and node names as in JSON. */
static bool field(const char *line, const char *key, char *out, size_t len)
{
	size_t n = strlen(key);
	const char *v = line;

	if (*v++ != '"' || strncmp(v, key, n) != 0 || strncmp(v + n, "\" : ", 4) != 0)
		return false;
	v += n + 4;
	if (*v == '"')
		v++;
	snprintf(out, len, "%s", v);
	n = strlen(out);
	if (n && out[n - 1] == '"')
		out[n - 1] = '\0';
	return true;
}

/* Ids are 64 bits: JSON numbers lose some of them, and etcdctl wants hex. */
static json_t *hex_id(const char *decimal)
{
	char hex[24];

	snprintf(hex, sizeof(hex), "%" PRIx64, (uint64_t)strtoull(decimal, NULL, 10));
	return json_string(hex);
}

static json_t *new_member(const char *decimal)
{
	return json_pack("{so ss s[] s[] sb sb sb}", "id", hex_id(decimal), "name", "", "peer_urls",
	                 "client_urls", "learner", 0, "started", 0, "alive", 0);
}

static void member_line(json_t *m, const char *line)
{
	char v[512];

	if (field(line, "Name", v, sizeof(v))) {
		json_object_set_new(m, "name", json_string(v));
		json_object_set_new(m, "started", json_boolean(*v));
	} else if (field(line, "PeerURL", v, sizeof(v))) {
		json_array_append_new(json_object_get(m, "peer_urls"), json_string(v));
	} else if (field(line, "ClientURL", v, sizeof(v))) {
		json_array_append_new(json_object_get(m, "client_urls"), json_string(v));
	} else if (field(line, "IsLearner", v, sizeof(v))) {
		json_object_set_new(m, "learner", json_boolean(strcmp(v, "true") == 0));
	}
}

int etcd_parse_members(const char *text, json_t *out, struct err *err)
{
	auto_free char *copy = xstrdup(text);
	char *next = copy, *line, v[64];
	json_t *members = json_array(), *m = NULL;

	while ((line = strsep(&next, "\n"))) {
		if (field(line, "ClusterID", v, sizeof(v))) {
			json_object_set_new(out, "cluster_id", hex_id(v));
		} else if (field(line, "MemberID", v, sizeof(v))) {
			json_object_set_new(out, "self", hex_id(v));
		} else if (field(line, "ID", v, sizeof(v))) {
			m = new_member(v);
			json_array_append_new(members, m);
		} else if (m) {
			member_line(m, line);
		}
	}
	json_object_set_new(out, "members", members);
	if (!json_array_size(members) || !json_object_get(out, "self"))
		return err_set(err, "etcdctl: its answer names no members");
	return 0;
}

static bool has_url(const json_t *member, const char *url)
{
	size_t i;
	json_t *u;

	json_array_foreach (json_object_get(member, "client_urls"), i, u)
		if (json_is_string(u) && strcmp(json_string_value(u), url) == 0)
			return true;
	return false;
}

/* One line of what a member says of itself; the one with its URL is behind the others. */
static void status_line(json_t *said, const char *line)
{
	static const struct {
		const char *field, *key;
	} numbers[] = {{"DBSize", "db_bytes"}, {"DBSizeQuota", "quota_bytes"}};
	char v[512];

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (field(line, numbers[i].field, v, sizeof(v)))
			json_object_set_new(said, numbers[i].key,
			                    json_integer(strtoll(v, NULL, 10)));
	if (field(line, "Version", v, sizeof(v)))
		json_object_set_new(said, "version", json_string(v));
	else if (field(line, "Leader", v, sizeof(v)))
		json_object_set_new(said, "leader", hex_id(v));
	else if (field(line, "Errors", v, sizeof(v)) && strcmp(v, "[]") != 0)
		json_object_set_new(said, "errors", json_string(v));
}

void etcd_parse_status(const char *text, json_t *members)
{
	auto_free char *copy = xstrdup(text);
	char *next = copy, *line, url[512];
	json_t *said = json_pack("{sb}", "alive", 1), *m;
	size_t i;

	while ((line = strsep(&next, "\n"))) {
		status_line(said, line);
		if (!field(line, "Endpoint", url, sizeof(url)))
			continue;
		json_array_foreach (members, i, m)
			if (has_url(m, url))
				json_object_update(m, said);
		json_decref(said);
		said = json_pack("{sb}", "alive", 1);
	}
	json_decref(said);
}

json_t *etcd_member(const json_t *members, const char *id)
{
	size_t i;
	json_t *m;

	json_array_foreach (members, i, m) {
		const char *s = json_string_value(json_object_get(m, "id"));

		if (s && strcmp(s, id) == 0)
			return m;
	}
	return NULL;
}

bool etcd_member_is_at(const json_t *member, const char *address)
{
	auto_free char *v4 = xasprintf("//%s:", address);
	auto_free char *v6 = xasprintf("//[%s]:", address);
	size_t i;
	json_t *u;

	json_array_foreach (json_object_get(member, "peer_urls"), i, u)
		if (json_is_string(u) &&
		    (strstr(json_string_value(u), v4) || strstr(json_string_value(u), v6)))
			return true;
	return false;
}

char *etcd_other_urls(const json_t *members, const char *but)
{
	auto_strbuf urls = {0};
	const json_t *self = etcd_member(members, but);
	size_t i, k;
	json_t *m, *u;

	json_array_foreach (members, i, m)
		json_array_foreach (json_object_get(m, "client_urls"), k, u)
			if (m != self && json_is_string(u))
				strbuf_addf(&urls, "%s%s", urls.len ? "," : "",
				            json_string_value(u));
	return xstrdup(strbuf_str(&urls));
}

struct etcd_voters etcd_count_voters(const json_t *members)
{
	struct etcd_voters v = {0};
	size_t i;
	json_t *m;

	json_array_foreach (members, i, m)
		if (!json_flag(m, "learner")) {
			v.all++;
			v.alive += json_flag(m, "alive");
		}
	return v;
}

bool etcd_has_quorum(struct etcd_voters v)
{
	return v.alive > v.all / 2;
}

/* ---- running it ---- */

static void common_words(const struct static_pods *p, const char *urls, struct strlist *argv)
{
	strlist_add(argv, ETCDCTL);
	strlist_addf(argv, "--endpoints=%s", urls);
	strlist_add(argv, "--dial-timeout=2s");
	if (p->etcd_ca && p->etcd_cert && p->etcd_key) {
		strlist_addf(argv, "--cacert=%s", p->etcd_ca);
		strlist_addf(argv, "--cert=%s", p->etcd_cert);
		strlist_addf(argv, "--key=%s", p->etcd_key);
	}
}

/* The sentence behind the last "Error: ", without the log lines of etcd's client. */
static int complain(const struct strbuf *said, struct err *err)
{
	const char *text = strbuf_str(said), *p = text, *hit = NULL;

	while ((p = strstr(p, "Error: ")))
		hit = p += strlen("Error: ");
	if (!hit)
		hit = *text ? text : "no answer";
	return err_set(err, "etcdctl: %.*s", (int)strcspn(hit, "\n"), hit);
}

static int etcdctl_within(int seconds, const struct strlist *argv, struct strbuf *out,
                          struct err *err)
{
	const struct proc_opts opts = {.timeout_s = seconds};
	auto_strbuf said = {0};
	int status = proc_run((const char *const *)argv->v, &opts, out, &said, err);

	if (status < 0)
		return -1;
	return status == 0 ? 0 : complain(&said, err);
}

static int etcdctl(const struct strlist *argv, struct strbuf *out, struct err *err)
{
	return etcdctl_within(COMMAND_S, argv, out, err);
}

static int list_members(const struct static_pods *p, const char *urls, bool alone, json_t *out,
                        struct err *err)
{
	auto_strlist argv = {0};
	auto_strbuf text = {0};

	common_words(p, urls, &argv);
	strlist_add(&argv, "--command-timeout=4s");
	strlist_add(&argv, "member");
	strlist_add(&argv, "list");
	strlist_add(&argv, "--write-out=fields");
	if (alone) /* what this member knows, without asking the others */
		strlist_add(&argv, "--consistency=s");
	if (etcdctl(&argv, &text, err) < 0)
		return -1;
	return etcd_parse_members(strbuf_str(&text), out, err);
}

/* Members that do not answer are not marked; that all fail is no failure. */
static void ask_status(const struct static_pods *p, json_t *members)
{
	auto_free char *urls = etcd_other_urls(members, "");
	auto_strlist argv = {0};
	auto_strbuf text = {0};
	struct err ignored = {0};

	common_words(p, urls, &argv);
	strlist_add(&argv, "--command-timeout=2s");
	strlist_add(&argv, "endpoint");
	strlist_add(&argv, "status");
	strlist_add(&argv, "--write-out=fields");
	etcdctl(&argv, &text, &ignored); /* it fails when one member does */
	etcd_parse_status(strbuf_str(&text), members);
}

int etcd_ask(const struct static_pods *p, const char *urls, json_t *out, struct err *err)
{
	struct err alone = {0};
	bool quorum = true;

	if (!fs_exists(ETCDCTL))
		return err_set(err, "%s is missing", ETCDCTL);
	if (list_members(p, urls, false, out, err) < 0) {
		quorum = false;
		if (list_members(p, urls, true, out, &alone) < 0)
			return -1;
	}
	json_object_set_new(out, "quorum", json_boolean(quorum));
	ask_status(p, json_object_get(out, "members"));
	return 0;
}

int etcd_count_nodes(const struct static_pods *p, const char *urls)
{
	auto_strlist argv = {0};
	auto_strbuf text = {0};
	struct err ignored = {0};
	const char *hit;

	common_words(p, urls, &argv);
	strlist_add(&argv, "--command-timeout=4s");
	strlist_add(&argv, "get");
	strlist_add(&argv, "/registry/minions/");
	strlist_add(&argv, "--prefix");
	strlist_add(&argv, "--keys-only");
	strlist_add(&argv, "--limit=1");
	strlist_add(&argv, "--write-out=fields");
	if (etcdctl(&argv, &text, &ignored) < 0)
		return -1;
	hit = strstr(strbuf_str(&text), "\"Count\" : ");
	return hit ? atoi(hit + strlen("\"Count\" : ")) : -1;
}

int etcd_remove_member(const struct static_pods *p, const char *urls, const char *id,
                       struct err *err)
{
	auto_strlist argv = {0};

	common_words(p, urls, &argv);
	strlist_add(&argv, "--command-timeout=10s");
	strlist_add(&argv, "member");
	strlist_add(&argv, "remove");
	strlist_add(&argv, id);
	return etcdctl(&argv, NULL, err);
}

/* The id of a voting member that answers, but self; NULL: there is none. Borrowed from members. */
static const char *successor(const json_t *members, const char *self)
{
	size_t i;
	json_t *m;

	json_array_foreach (members, i, m)
		if (strcmp(json_text(m, "id"), self) != 0 && json_flag(m, "alive") &&
		    !json_flag(m, "learner"))
			return json_text(m, "id");
	return NULL;
}

int etcd_move_leader(const struct static_pods *p, const char *url, struct err *err)
{
	json_t *now = json_object();
	auto_strlist argv = {0};
	const char *next;
	int rc = etcd_ask(p, url, now, err);

	if (rc == 0) {
		next = successor(json_object_get(now, "members"), json_text(now, "self"));
		common_words(p, url, &argv);
		strlist_add(&argv, "--command-timeout=10s");
		strlist_add(&argv, "move-leader");
		if (next)
			strlist_add(&argv, next);
		rc = next ? etcdctl(&argv, NULL, err) : err_set(err, "no other member answers");
		if (rc < 0 && strstr(err->msg, NOT_LEADER))
			rc = 0;
	}
	json_decref(now);
	return rc;
}

/* A snapshot is etcd's database, a multiple of 512 bytes, and its SHA-256 behind it. */
static int check_snapshot(const char *path, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct digest_ctx *ctx;
	struct digest is;
	char hex[DIGEST_HEX_LEN + 1] = "";
	uint8_t buf[65536], sum[DIGEST_HEX_LEN / 2];
	struct stat st;
	off_t left;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, "%s: %s", path, strerror(errno));
	left = st.st_size - (off_t)sizeof(sum);
	if (left <= 0 || left % 512 != 0)
		return err_set(err, "%s: no whole snapshot (%jd bytes)", path,
		               (intmax_t)st.st_size);
	ctx = digest_new();
	for (; left > 0; left -= n) {
		n = read(fd, buf, (size_t)left < sizeof(buf) ? (size_t)left : sizeof(buf));
		if (n <= 0)
			break;
		digest_update(ctx, buf, (size_t)n);
	}
	digest_final(ctx, &is);
	if (left || read(fd, sum, sizeof(sum)) != (ssize_t)sizeof(sum))
		return err_set(err, "%s: %s", path, strerror(errno));
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	if (strcmp(hex, digest_hex(&is)) != 0)
		return err_set(err, "%s: its digest is not that of its data", path);
	return 0;
}

int etcd_snapshot(const struct static_pods *p, const char *url, const char *path, struct err *err)
{
	auto_strlist argv = {0};

	common_words(p, url, &argv);
	strlist_addf(&argv, "--command-timeout=%ds", SNAPSHOT_S);
	strlist_add(&argv, "snapshot");
	strlist_add(&argv, "save");
	strlist_add(&argv, path);
	if (etcdctl_within(SNAPSHOT_S + 5, &argv, NULL, err) < 0)
		return -1;
	return check_snapshot(path, err);
}
