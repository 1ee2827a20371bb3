/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct conf;
struct err;
struct lock;

/*
 * Files from Debian packages, as packager/parts/NAME/debs.conf lists them: "package" (repeated) and
 * "drop" (repeated: a shell pattern of paths that the image does not need) and "keep" (the same, of
 * paths that stay all the same). The packages come by
 * `apt-get download`, which checks the archive's signatures; the lock holds versions and hashes.
 */
struct debs {
	const struct conf *conf;
	const struct lock *lock; /* NULL: the newest versions are taken, and noted in the record */
	const char *name;        /* of the set */
	const char *work;        /* packages are kept in work/deb/NAME */
	const char *key;         /* of the step: part of the tree's name */
};

/* Unpacks all of them into one tree; its path goes to the record as "tree". */
int debs_run(const struct debs *d, struct conf *record, struct err *err);
