/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
/* Which backend is taken, and what is said when the kernel lacks something: the kernel is played
 * here, by these functions in the place of the C library's. */
#include "err.h"
#include "events.h"
#include "kernel/backend.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

static struct {
	bool nft;
	int refuses;      /* a message type of nftables within a transaction, with ENOENT */
	unsigned restart; /* so many transactions come too late */
	unsigned transactions;
	uint32_t generation;
	uint8_t answer[256];
	size_t len;
} kernel;

int socket(int domain, int type, int protocol)
{
	(void)domain;
	(void)type;
	(void)protocol;
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

int bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	(void)fd;
	(void)sa;
	(void)len;
	return 0;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)fd;
	(void)level;
	(void)name;
	(void)value;
	(void)len;
	return 0;
}

static void answer(uint16_t type, uint32_t seq, const void *body, size_t len)
{
	struct nlmsghdr hdr = {.nlmsg_len = (uint32_t)(sizeof(hdr) + len),
	                       .nlmsg_type = type,
	                       .nlmsg_flags = NLM_F_CAPPED,
	                       .nlmsg_seq = seq};

	assert_true(kernel.len + hdr.nlmsg_len <= sizeof(kernel.answer));
	memcpy(kernel.answer + kernel.len, &hdr, sizeof(hdr));
	memcpy(kernel.answer + kernel.len + sizeof(hdr), body, len);
	kernel.len += hdr.nlmsg_len;
}

static void answer_error(const struct nlmsghdr *hdr, int error)
{
	struct nlmsgerr e = {.error = -error, .msg = *hdr};

	answer(NLMSG_ERROR, hdr->nlmsg_seq, &e, sizeof(e));
}

/* The generation that a transaction is made for; 0: any. */
static uint32_t made_for(struct span body)
{
	struct span tb[NFNL_BATCH_GENID + 1];
	uint32_t generation = 0;

	span_take(&body, NULL, sizeof(struct nfgenmsg));
	attr_table(body, tb, NFNL_BATCH_GENID + 1);
	attr_be32(tb[NFNL_BATCH_GENID], &generation);
	return generation;
}

static void transaction(struct span in)
{
	struct nlmsghdr hdr;
	struct span body;
	bool first = true;

	kernel.transactions++;
	while (nlmsg_next(&in, &hdr, &body)) {
		if (first && kernel.restart && made_for(body)) {
			kernel.restart--;
			answer_error(&hdr, ERESTART);
			return;
		}
		first = false;
		if (hdr.nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES &&
		    (hdr.nlmsg_type & 0xff) == kernel.refuses)
			answer_error(&hdr, ENOENT);
		else if (hdr.nlmsg_flags & NLM_F_ACK)
			answer_error(&hdr, 0);
	}
	kernel.generation += kernel.refuses < 0;
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
               socklen_t tolen)
{
	struct span in = {data, len}, body;
	struct nlmsghdr hdr;
	struct nlmsg gen;

	(void)fd;
	(void)flags;
	(void)to;
	(void)tolen;
	kernel.len = 0;
	assert_true(nlmsg_next(&in, &hdr, &body));
	if (len > hdr.nlmsg_len) { /* questions come alone */
		transaction((struct span){data, len});
	} else if (hdr.nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN) && kernel.nft) {
		nlmsg_begin(&gen, 0, 0);
		nlmsg_fixed(&gen, &(struct nfgenmsg){0}, sizeof(struct nfgenmsg));
		nlmsg_put_be32(&gen, NFTA_GEN_ID, kernel.generation);
		answer(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN, hdr.nlmsg_seq,
		       gen.data + sizeof(hdr), gen.len - sizeof(hdr));
		answer_error(&hdr, 0);
	} else {
		bool nft = hdr.nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES;

		answer_error(&hdr, nft && !kernel.nft ? EINVAL : ENOENT);
	}
	return (ssize_t)len;
}

ssize_t recvfrom(int fd, void *buf, size_t cap, int flags, struct sockaddr *from,
                 socklen_t *fromlen)
{
	size_t len = kernel.len;

	(void)fd;
	(void)flags;
	(void)from;
	(void)fromlen;
	assert_true(len && len <= cap);
	memcpy(buf, kernel.answer, len);
	kernel.len = 0;
	return (ssize_t)len;
}

static const char *refused(enum backend_kind want)
{
	static struct err err;
	struct backend b = {0};

	err = (struct err){0};
	assert_int_equal(backend_open(&b, want, &err), -1);
	assert_int_equal(b.kind, BACKEND_AUTO);
	return err.msg;
}

static int setup(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.generation = 41;
	kernel.refuses = -1;
	return 0;
}

static void without_anything(void **state)
{
	(void)state;
	assert_string_equal(refused(BACKEND_AUTO),
	                    "this kernel has neither IPVS nor nftables: load the module ip_vs or "
	                    "nf_tables on the host (modprobe ip_vs) or boot a kernel with "
	                    "CONFIG_IP_VS or CONFIG_NF_TABLES");
	assert_string_equal(refused(BACKEND_IPVS),
	                    "this kernel has no IPVS: load the module ip_vs on the host (modprobe "
	                    "ip_vs) or boot a kernel with CONFIG_IP_VS");
	assert_string_equal(refused(BACKEND_NFT),
	                    "this kernel has no nftables: load the module nf_tables on the host "
	                    "(modprobe nf_tables) or boot a kernel with CONFIG_NF_TABLES");
}

static void nftables_where_there_is_no_ipvs(void **state)
{
	struct backend b = {0};
	struct err err = {0};

	(void)state;
	kernel.nft = true;
	assert_int_equal(backend_open(&b, BACKEND_AUTO, &err), 0);
	assert_string_equal(backend_name(b.kind), "nft");
	assert_string_equal(err.msg, "");
	backend_release(&b);
	assert_string_equal(refused(BACKEND_IPVS),
	                    "this kernel has no IPVS: load the module ip_vs on the host (modprobe "
	                    "ip_vs) or boot a kernel with CONFIG_IP_VS");
}

static struct rules rules_of(const char *scheduler)
{
	return (struct rules){
	    .vs = {.family = AF_INET, .port = 6443, .bytes = {169, 254, 97, 2}},
	    .scheduler = scheduler,
	    .dest[0] = {.addr = {.family = AF_INET, .port = 6443, .bytes = {10, 0, 0, 1}},
	                .weight = 1},
	    .n = 1};
}

/* Applies them; returns what failed, or "". */
static const char *applied(struct nft *b, const char *scheduler)
{
	static struct err err;
	struct rules rules = rules_of(scheduler);
	struct events ev;
	int rc;

	err = (struct err){0};
	events_init(&ev, 0);
	rc = nft_apply(b, &rules, &ev, &err);
	assert_int_equal(rc, *err.msg ? -1 : 0);
	return err.msg;
}

static void what_the_kernel_lacks_is_named(void **state)
{
	struct err err = {0};
	struct nft b;

	(void)state;
	kernel.nft = true;
	assert_int_equal(nft_open(&b, &err), 0);
	kernel.refuses = NFT_MSG_NEWCHAIN;
	assert_string_equal(applied(&b, "rr"),
	                    "virtual server 169.254.97.2:6443: nftables of this kernel lacks "
	                    "nft_chain_nat (CONFIG_NF_NAT, CONFIG_NFT_NAT)");
	kernel.refuses = NFT_MSG_NEWRULE;
	assert_string_equal(applied(&b, "rr"),
	                    "virtual server 169.254.97.2:6443: nftables of this kernel lacks "
	                    "nft_numgen or nft_nat (CONFIG_NFT_NUMGEN, CONFIG_NFT_NAT)");
	assert_string_equal(applied(&b, "sh"),
	                    "virtual server 169.254.97.2:6443: nftables of this kernel lacks "
	                    "nft_hash or nft_nat (CONFIG_NFT_HASH, CONFIG_NFT_NAT)");
	kernel.refuses = NFT_MSG_NEWTABLE;
	assert_string_equal(applied(&b, "rr"),
	                    "write virtual server 169.254.97.2:6443: No such file or directory");
	nft_release(&b);
}

static void others_may_come_between(void **state)
{
	struct err err = {0};
	struct nft b;

	(void)state;
	kernel.nft = true;
	assert_int_equal(nft_open(&b, &err), 0);
	kernel.restart = 3;
	assert_string_equal(applied(&b, "rr"), "");
	assert_int_equal(kernel.transactions, 4);
	kernel.generation++; /* somebody else's */
	kernel.restart = 100;
	assert_string_equal(applied(&b, "rr"), ""); /* they come between all the time */
	assert_int_equal(kernel.transactions, 4 + 8);
	nft_release(&b);
}

static void an_unchanged_generation_is_enough(void **state)
{
	struct err err = {0};
	struct nft b;

	(void)state;
	kernel.nft = true;
	assert_int_equal(nft_open(&b, &err), 0);
	assert_string_equal(applied(&b, "rr"), "");
	assert_string_equal(applied(&b, "rr"), "");
	assert_int_equal(kernel.transactions, 1);
	assert_string_equal(applied(&b, "sh"), ""); /* wanted otherwise */
	assert_int_equal(kernel.transactions, 2);
	kernel.generation++;
	assert_string_equal(applied(&b, "sh"), ""); /* this kernel tells of no table */
	assert_int_equal(kernel.transactions, 3);
	nft_release(&b);
}

static void names(void **state)
{
	(void)state;
	assert_int_equal(backend_by_name("auto"), BACKEND_AUTO);
	assert_int_equal(backend_by_name("ipvs"), BACKEND_IPVS);
	assert_int_equal(backend_by_name("nft"), BACKEND_NFT);
	assert_int_equal(backend_by_name("nftables"), BACKEND_KINDS);
	assert_int_equal(backend_by_name(""), BACKEND_KINDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(names, setup),
	    cmocka_unit_test_setup(without_anything, setup),
	    cmocka_unit_test_setup(nftables_where_there_is_no_ipvs, setup),
	    cmocka_unit_test_setup(what_the_kernel_lacks_is_named, setup),
	    cmocka_unit_test_setup(others_may_come_between, setup),
	    cmocka_unit_test_setup(an_unchanged_generation_is_enough, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
