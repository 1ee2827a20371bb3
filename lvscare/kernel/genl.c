// SPDX-License-Identifier: Apache-2.0
#include "genl.h"

#include <linux/genetlink.h>

void genl_begin(struct nlmsg *m, uint16_t family, uint8_t cmd, uint8_t version, uint16_t flags)
{
	struct genlmsghdr hdr = {.cmd = cmd, .version = version};

	nlmsg_begin(m, family, flags);
	nlmsg_fixed(m, &hdr, sizeof(hdr));
}

void genl_encode_find(struct nlmsg *m, const char *name)
{
	genl_begin(m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
	nlmsg_put_str(m, CTRL_ATTR_FAMILY_NAME, name);
}

bool genl_decode_find(struct span body, uint16_t *family)
{
	struct span tb[CTRL_ATTR_FAMILY_ID + 1];

	if (!span_take(&body, NULL, sizeof(struct genlmsghdr)))
		return false;
	attr_table(body, tb, CTRL_ATTR_FAMILY_ID + 1);
	return attr_u16(tb[CTRL_ATTR_FAMILY_ID], family) && *family >= NLMSG_MIN_TYPE;
}
