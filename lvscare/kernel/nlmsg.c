// SPDX-License-Identifier: Apache-2.0
#include "nlmsg.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static void finish(struct nlmsg *m)
{
	uint32_t len = (uint32_t)m->len;

	memcpy(m->data + offsetof(struct nlmsghdr, nlmsg_len), &len, sizeof(len));
}

static void append(struct nlmsg *m, const void *data, size_t len)
{
	assert(align4(len) <= sizeof(m->data) - m->len);
	if (len)
		memcpy(m->data + m->len, data, len);
	memset(m->data + m->len + len, 0, align4(len) - len);
	m->len += align4(len);
	finish(m);
}

void nlmsg_begin(struct nlmsg *m, uint16_t type, uint16_t flags)
{
	struct nlmsghdr hdr = {.nlmsg_type = type, .nlmsg_flags = flags};

	m->len = 0;
	append(m, &hdr, sizeof(hdr));
}

void nlmsg_fixed(struct nlmsg *m, const void *data, size_t len)
{
	append(m, data, len);
}

void nlmsg_put(struct nlmsg *m, uint16_t type, const void *data, size_t len)
{
	struct nlattr a = {.nla_len = (uint16_t)(sizeof(a) + len), .nla_type = type};

	assert(len < NLMSG_CAP);
	append(m, &a, sizeof(a));
	append(m, data, len);
}

void nlmsg_put_u16(struct nlmsg *m, uint16_t type, uint16_t v)
{
	nlmsg_put(m, type, &v, sizeof(v));
}

void nlmsg_put_u32(struct nlmsg *m, uint16_t type, uint32_t v)
{
	nlmsg_put(m, type, &v, sizeof(v));
}

void nlmsg_put_be32(struct nlmsg *m, uint16_t type, uint32_t v)
{
	nlmsg_put_u32(m, type, htonl(v));
}

void nlmsg_put_str(struct nlmsg *m, uint16_t type, const char *s)
{
	nlmsg_put(m, type, s, strlen(s) + 1);
}

size_t nlmsg_nest(struct nlmsg *m, uint16_t type)
{
	size_t at = m->len;

	nlmsg_put(m, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void nlmsg_end(struct nlmsg *m, size_t nest)
{
	uint16_t len = (uint16_t)(m->len - nest);

	memcpy(m->data + nest + offsetof(struct nlattr, nla_len), &len, sizeof(len));
}

/* Drops n bytes and their padding; the last element of a message may lack the padding. */
static void skip(struct span *in, size_t n)
{
	n = align4(n) < in->len ? align4(n) : in->len;
	in->p += n;
	in->len -= n;
}

bool span_take(struct span *in, void *out, size_t len)
{
	if (in->len < len)
		return false;
	if (out)
		memcpy(out, in->p, len);
	skip(in, len);
	return true;
}

bool nlmsg_next(struct span *in, struct nlmsghdr *hdr, struct span *body)
{
	if (in->len < sizeof(*hdr))
		return false;
	memcpy(hdr, in->p, sizeof(*hdr));
	if (hdr->nlmsg_len < sizeof(*hdr) || hdr->nlmsg_len > in->len)
		return false;
	body->p = in->p + sizeof(*hdr);
	body->len = hdr->nlmsg_len - sizeof(*hdr);
	skip(in, hdr->nlmsg_len);
	return true;
}

bool attr_next(struct span *in, uint16_t *type, struct span *value)
{
	struct nlattr a;

	if (in->len < sizeof(a))
		return false;
	memcpy(&a, in->p, sizeof(a));
	if (a.nla_len < sizeof(a) || a.nla_len > in->len)
		return false;
	*type = a.nla_type & NLA_TYPE_MASK;
	*value = (struct span){in->p + sizeof(a), a.nla_len - sizeof(a)};
	skip(in, a.nla_len);
	return true;
}

void attr_table(struct span in, struct span *tb, size_t n)
{
	struct span payload;
	uint16_t type;

	memset(tb, 0, n * sizeof(*tb));
	while (attr_next(&in, &type, &payload))
		if (type < n)
			tb[type] = payload;
}

static bool value(struct span a, void *out, size_t len)
{
	if (!a.p || a.len < len)
		return false;
	memcpy(out, a.p, len);
	return true;
}

bool attr_u16(struct span a, uint16_t *out)
{
	return value(a, out, sizeof(*out));
}

bool attr_u32(struct span a, uint32_t *out)
{
	return value(a, out, sizeof(*out));
}

bool attr_be16(struct span a, uint16_t *out)
{
	if (!attr_u16(a, out))
		return false;
	*out = ntohs(*out);
	return true;
}

bool attr_be32(struct span a, uint32_t *out)
{
	if (!attr_u32(a, out))
		return false;
	*out = ntohl(*out);
	return true;
}

bool attr_str(struct span a, char *out, size_t cap)
{
	size_t len;

	if (!a.p)
		return false;
	len = strnlen((const char *)a.p, a.len);
	if (len >= cap)
		len = cap - 1;
	memcpy(out, a.p, len);
	out[len] = '\0';
	return true;
}

bool attr_is_be32(struct span a, uint32_t v)
{
	uint32_t n;

	return attr_be32(a, &n) && n == v;
}

bool attr_is_str(struct span a, const char *s)
{
	size_t len = strlen(s);

	return a.p && a.len > len && memcmp(a.p, s, len + 1) == 0;
}
