/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct conf;
struct err;

/*
 * Asks the kubeadm just built which images it wants ("image" lines in the record): tags are never
 * written down anywhere else. kube is the multi-call program.
 */
int kubeadm_list_images(const char *kube, const char *version, const char *work,
                        struct conf *record, struct err *err);
