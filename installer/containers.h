// SPDX-License-Identifier: Apache-2.0
#pragma once

struct err;

/* An API server's delay of a shutdown and the requests that it has then; kubelet gives it as long.
 */
#define APISERVER_END_S 30

/* Ends the containers of that name in kube-system on this machine: TERM, and KILL after so many
 * seconds. kubelet, where it runs, starts them anew. */
int containers_end(const char *name, int seconds, struct err *err);
