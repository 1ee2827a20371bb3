/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct strbuf;
struct inspection;

/* Whether everything that belongs to the virtual server is there, and a healthy daemon guards it.
 */
bool status_good(const struct inspection *v);
/* For people: a few lines and a table of the real servers. */
void status_table(const struct inspection *v, struct strbuf *out);
/* For programs: one JSON object on a line. */
void status_json(const struct inspection *v, struct strbuf *out);
