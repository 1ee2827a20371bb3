/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct err;
struct layer;
struct plan_layer;

/* What is in the layers: functions for plan_layer.fill. docs/bundle.md lists the paths. */
int content_program(const struct plan_layer *l, struct layer *out, struct err *err);
int content_licences(const struct plan_layer *l, struct layer *out, struct err *err);
int content_nettools(const struct plan_layer *l, struct layer *out, struct err *err);
int content_netfilter(const struct plan_layer *l, struct layer *out, struct err *err);
int content_kube_paths(const struct plan_layer *l, struct layer *out, struct err *err);
int content_etcd_paths(const struct plan_layer *l, struct layer *out, struct err *err);
int content_lvscare(const struct plan_layer *l, struct layer *out, struct err *err);
int content_pause(const struct plan_layer *l, struct layer *out, struct err *err);
int content_base(const struct plan_layer *l, struct layer *out, struct err *err);
int content_node(const struct plan_layer *l, struct layer *out, struct err *err);
