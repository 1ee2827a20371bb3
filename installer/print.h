// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>

struct installation;

/* The nodes of an answer to op "status", as a table on stdout. */
void print_nodes(const json_t *status);
/* The nodes of an answer to op "health" (health.h), each with what it runs, as a table on stdout.
 */
void print_health(const json_t *health);
/* The certificates of "machines", each an answer to op "certificates" that was judged. */
void print_certificates(const json_t *result);
/* The nodes of a finished installation and what the user can do next. */
void print_installed(const struct installation *in);
/* The result of a reset: a line for each machine and for each thing that stayed on it. */
void print_reset(const json_t *result);
