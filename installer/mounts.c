// SPDX-License-Identifier: Apache-2.0
#include "mounts.h"

#include "clear.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "strbuf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

/* mountinfo shows paths without links; "" when there is no such directory. */
static char *real(const char *path)
{
	char *p = realpath(path, NULL);

	return p ? p : xstrdup("");
}

void mount_places_init(struct mount_places *p)
{
	*p = (struct mount_places){
	    .kubelet = real("/var/lib/kubelet"),
	    .containerd_lib = real("/var/lib/containerd"),
	    .containerd_run = real("/run/containerd"),
	    .netns = real("/run/netns"),
	    .state = real(DIR_STATE),
	};
}

void mount_places_release(struct mount_places *p)
{
	free(p->kubelet);
	free(p->containerd_lib);
	free(p->containerd_run);
	free(p->netns);
	free(p->state);
	*p = (struct mount_places){0};
}

/* What follows dir and a slash in path; NULL: path is not below dir. */
static const char *below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return *dir && strncmp(path, dir, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

static bool begins(const char *s, const char *with)
{
	return s && strncmp(s, with, strlen(with)) == 0;
}

/* pods/UID/volumes/..., pods/UID/volume-subpaths/..., and what CSI drivers and the old in-tree
 * plugins stage below plugins/kubernetes.io and plugins/DRIVER/.../globalmount. */
static bool kubelet_made(const char *rest)
{
	const char *slash;

	if (begins(rest, "plugins/"))
		return begins(rest, "plugins/kubernetes.io/") ||
		       (strlen(rest) > 12 && strcmp(rest + strlen(rest) - 12, "/globalmount") == 0);
	if (!begins(rest, "pods/"))
		return false;
	slash = strchr(rest + strlen("pods/"), '/');
	return begins(slash, "/volumes/") || begins(slash, "/volume-subpaths/") ||
	       begins(slash, "/volumeDevices/") || begins(slash, "/plugins/");
}

/* The image whose programs remove the packet filter rules (rules.c), and what is mounted in it. */
static bool is_image(const char *rest)
{
	return rest && (strcmp(rest, "netfilter") == 0 || begins(rest, "netfilter/"));
}

static bool kubernetes_made(const char *path, const struct mount_places *p)
{
	return kubelet_made(below(path, p->kubelet)) ||
	       begins(below(path, p->containerd_run), "io.containerd.") ||
	       begins(below(path, p->containerd_lib), "tmpmounts/") ||
	       begins(below(path, p->netns), "cni-") || is_image(below(path, p->state));
}

/* /proc/self/mountinfo writes space, tab, newline and backslash as three octal digits. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

void mounts_made(const char *mountinfo, const struct mount_places *p, struct strlist *out)
{
	auto_free char *copy = xstrdup(mountinfo);
	char *next = copy, *line;

	while ((line = strsep(&next, "\n"))) {
		char path[4096];

		if (sscanf(line, "%*d %*d %*s %*s %4095s", path) != 1)
			continue;
		unescape(path);
		if (kubernetes_made(path, p))
			strlist_add(out, path);
	}
}

void mounts_unmount(struct clear_report *r)
{
	struct mount_places places;
	auto_strbuf text = {0};
	auto_strlist points = {0};
	struct err err = {0};

	if (fs_read("/proc/self/mountinfo", 64u << 20, &text, &err) < 0) {
		clear_failed(r, "mounts", "%s", err.msg);
		return;
	}
	mount_places_init(&places);
	mounts_made(strbuf_str(&text), &places, &points);
	mount_places_release(&places);
	for (size_t i = points.n; i-- > 0;)
		if (umount2(points.v[i], UMOUNT_NOFOLLOW) < 0 &&
		    umount2(points.v[i], UMOUNT_NOFOLLOW | MNT_DETACH) < 0 && errno != EINVAL)
			clear_failed(r, points.v[i], "unmount: %s", strerror(errno));
}
