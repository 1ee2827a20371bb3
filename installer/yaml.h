// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stddef.h>

struct err;

/*
 * The YAML documents in text as a JSON array of objects, in their order; empty documents are left
 * out. Plain scalars mean what they mean to kubeadm (sigs.k8s.io/yaml): yes/no/on/off are booleans,
 * quoted ones are strings. what names the file in messages. NULL on failure.
 */
json_t *yaml_documents(const char *text, size_t len, const char *what, struct err *err);
