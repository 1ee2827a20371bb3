/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
/* Messages of the kernel: what decodes must encode and decode to the same again. */
#include "kernel/genl.h"
#include "kernel/ipvsmsg.h"
#include "kernel/route.h"
#include "kernel/sockdiag.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span body_of(const struct nlmsg *m)
{
	return (struct span){m->data + sizeof(struct nlmsghdr), m->len - sizeof(struct nlmsghdr)};
}

static void service_again(const struct ipvs_service *svc)
{
	struct ipvs_service again;
	struct nlmsg m;

	ipvs_encode_service(&m, 0x20, IPVS_CMD_SET_SERVICE, svc, true);
	if (!ipvs_decode_service(body_of(&m), &again) || !addr_eq(&svc->addr, &again.addr) ||
	    strcmp(svc->scheduler, again.scheduler) != 0 || svc->flags != again.flags)
		abort();
}

static void dest_again(const struct ipvs_dest *dest)
{
	struct addr vs = {.family = dest->addr.family, .port = 6443};
	struct nlmsg m;

	ipvs_encode_dest(&m, 0x20, IPVS_CMD_SET_DEST, &vs, dest, true);
	if (m.len > NLMSG_CAP)
		abort();
}

static void one(const struct nlmsghdr *hdr, struct span body)
{
	struct ipvs_service svc;
	struct ipvs_dest dest;
	struct sockdiag s;
	struct nlmsg m;
	struct route r;
	struct cidr a;
	uint16_t family;

	(void)hdr;
	genl_decode_find(body, &family);
	if (ipvs_decode_service(body, &svc))
		service_again(&svc);
	if (ipvs_decode_dest(body, AF_INET, &dest))
		dest_again(&dest);
	if (ipvs_decode_dest(body, AF_INET6, &dest))
		dest_again(&dest);
	if (sockdiag_decode(body, &s)) {
		sockdiag_encode_destroy(&m, &s);
		if (m.len != 72)
			abort();
	}
	route_decode(body, &r);
	route_decode_address(body, &a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = {data, size}, body;
	struct nlmsghdr hdr;

	while (nlmsg_next(&in, &hdr, &body))
		one(&hdr, body);
	return 0;
}
