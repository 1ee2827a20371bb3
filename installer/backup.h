// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>

struct err;

/*
 * A backup is a tar that any tar opens: backup.json first, then etcd.db (etcd's own snapshot),
 * kubernetes/ (the files of /etc/kubernetes), kubelet/ (its configuration and pairs), pki/ (the
 * certificates, where they lie elsewhere), extra/ (files that the API server was told of and that
 * lie elsewhere), state.json (our record). backup.json:
 * {format,created,kubernetes,bundle,machine,vip,members[],files[{name,size,digest}]}.
 */
#define BACKUP_FORMAT   1
#define BACKUP_MANIFEST "backup.json"
#define BACKUP_DATABASE "etcd.db"

/* Takes the backup at path apart: every file in it is as backup.json says, byte by byte, and none
 * is missing or added. The files go to dir, which must be empty; NULL: nowhere. manifest is the
 * caller's. EXIT_BAD_BUNDLE: it is damaged, or no backup. */
int backup_read(const char *path, const char *dir, json_t **manifest, struct err *err);
