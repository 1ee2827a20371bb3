/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "nlmsg.h"

/* Generic netlink (linux/genetlink.h): families are found by name and then have a message type. */

/* A request of a family: netlink header, genetlink header. */
void genl_begin(struct nlmsg *m, uint16_t family, uint8_t cmd, uint8_t version, uint16_t flags);
/* Asks for a family by name; the kernel loads the module that has it. */
void genl_encode_find(struct nlmsg *m, const char *name);
/* The family's message type out of the answer's body; false when it is not in there. */
bool genl_decode_find(struct span body, uint16_t *family);
