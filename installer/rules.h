// SPDX-License-Identifier: Apache-2.0
#pragma once

struct clear_report;
struct strbuf;
struct strlist;

/* Takes the packet filter rules and ipsets of kube-proxy, flannel and the CNI plugins away, with
 * the tools in the bundle's kube-proxy image (a node has none of its own). Needs containerd. What
 * stays is in r->failed. ports gets the node ports that kube-proxy had in its ipvs mode. */
void rules_remove(struct strlist *ports, struct clear_report *r);

/* From `ipset save`: the names of kube-proxy's sets, and the members of its sets of node ports. */
void rules_sets(const char *saved, struct strlist *names, struct strlist *ports);
/* From iptables-save's output: what iptables-restore must be fed so that our chains and the rules
 * that lead into them are gone and every other rule stays. Empty when there is nothing of ours. */
void rules_filter(const char *saved, struct strbuf *out);
/* Names of the tables in iptables-save's output that hold no rule, no chain of anybody's and no
 * policy but ACCEPT. */
void rules_empty_tables(const char *saved, struct strlist *out);
