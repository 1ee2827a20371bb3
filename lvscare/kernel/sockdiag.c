// SPDX-License-Identifier: Apache-2.0
#include "sockdiag.h"

#include <arpa/inet.h>
#include <string.h>

static void encode(struct nlmsg *m, uint16_t type, const struct sockdiag *s)
{
	struct inet_diag_req_v2 req = {.sdiag_family = (uint8_t)s->local.family,
	                               .sdiag_protocol = IPPROTO_TCP,
	                               .idiag_states = ~0u};

	req.id.idiag_sport = htons(s->local.port);
	req.id.idiag_dport = htons(s->remote.port);
	memcpy(req.id.idiag_src, s->local.bytes, addr_len(&s->local));
	memcpy(req.id.idiag_dst, s->remote.bytes, addr_len(&s->remote));
	memcpy(req.id.idiag_cookie, s->cookie, sizeof(s->cookie));
	nlmsg_begin(m, type, 0);
	nlmsg_fixed(m, &req, sizeof(req));
}

void sockdiag_encode_find(struct nlmsg *m, const struct addr *local, const struct addr *remote)
{
	struct sockdiag s = {
	    .local = *local, .remote = *remote, .cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}};

	encode(m, SOCK_DIAG_BY_FAMILY, &s);
}

void sockdiag_encode_destroy(struct nlmsg *m, const struct sockdiag *s)
{
	encode(m, SOCK_DESTROY, s);
}

bool sockdiag_decode(struct span body, struct sockdiag *out)
{
	struct inet_diag_msg msg;

	*out = (struct sockdiag){0};
	if (!span_take(&body, &msg, sizeof(msg)) ||
	    (msg.idiag_family != AF_INET && msg.idiag_family != AF_INET6))
		return false;
	out->state = msg.idiag_state;
	out->local.family = out->remote.family = msg.idiag_family;
	out->local.port = ntohs(msg.id.idiag_sport);
	out->remote.port = ntohs(msg.id.idiag_dport);
	memcpy(out->local.bytes, msg.id.idiag_src, addr_len(&out->local));
	memcpy(out->remote.bytes, msg.id.idiag_dst, addr_len(&out->remote));
	memcpy(out->cookie, msg.id.idiag_cookie, sizeof(out->cookie));
	return true;
}
