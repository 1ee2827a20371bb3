// SPDX-License-Identifier: Apache-2.0
#pragma once

struct clear_report;
struct strlist;

/*
 * Which mounts kubelet, containerd and the CNI plugins make themselves: volumes of pods, root file
 * systems and shared memory of containers, network namespaces. Every other mount is the user's.
 * kubelet, containerd, state: where /var/lib/kubelet, /run/containerd ... really lie (a user may
 * have made links of them).
 */
struct mount_places {
	char *kubelet, *containerd_lib, *containerd_run, *netns, *state;
};

void mount_places_init(struct mount_places *p); /* looks at this machine */
void mount_places_release(struct mount_places *p);

/* From the text of /proc/self/mountinfo: the mount points made by Kubernetes, in the order in which
 * they were mounted. */
void mounts_made(const char *mountinfo, const struct mount_places *p, struct strlist *out);

/* Unmounts these, the last one first. One that is busy is detached. */
void mounts_unmount(struct clear_report *r);
