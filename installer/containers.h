// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

struct err;
struct strlist;

/* An API server's delay of a shutdown and the requests that it has then; kubelet gives it as long.
 */
#define APISERVER_END_S 30

/* Ends the containers of that name in kube-system on this machine: TERM, and KILL after so many
 * seconds. kubelet, where it runs, starts them anew. */
int containers_end(const char *name, int seconds, struct err *err);

/* Adds what each container, also one that has ended, has as its image: a name, or the digest of an
 * image's configuration. */
int containers_images(struct strlist *out, struct err *err);
/* Is there an image of that name whose manifest has that digest? */
bool containers_have_image(const char *ref, const char *digest);
/* Removes the image with all its names; what runs goes on. */
int containers_remove_image(const char *ref, struct err *err);
