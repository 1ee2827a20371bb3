// SPDX-License-Identifier: Apache-2.0
#include "sshwords.h"

#include "mem.h"

#include <string.h>

static const struct {
	const char *name;
	enum ssh_word word;
} followed[] = {
    {"host", W_HOST},
    {"match", W_MATCH},
    {"hostname", W_HOSTNAME},
    {"port", W_PORT},
    {"user", W_USER},
    {"identityfile", W_IDENTITYFILE},
    {"identityfile2", W_IDENTITYFILE},
    {"certificatefile", W_CERTIFICATEFILE},
    {"identitiesonly", W_IDENTITIESONLY},
    {"identityagent", W_IDENTITYAGENT},
    {"userknownhostsfile", W_USERKNOWNHOSTSFILE},
    {"globalknownhostsfile", W_GLOBALKNOWNHOSTSFILE},
    {"hostkeyalias", W_HOSTKEYALIAS},
    {"proxyjump", W_PROXYJUMP},
    {"proxycommand", W_PROXYCOMMAND},
    {"stricthostkeychecking", W_STRICTHOSTKEYCHECKING},
    {"hashknownhosts", W_HASHKNOWNHOSTS},
    {"pubkeyauthentication", W_PUBKEYAUTHENTICATION},
    {"dsaauthentication", W_PUBKEYAUTHENTICATION},
    {"passwordauthentication", W_PASSWORDAUTHENTICATION},
    {"kbdinteractiveauthentication", W_KBDINTERACTIVEAUTHENTICATION},
    {"challengeresponseauthentication", W_KBDINTERACTIVEAUTHENTICATION},
    {"ignoreunknown", W_IGNOREUNKNOWN},
};

/* They change where a connection goes or what it trusts. harmless: the value that asks for nothing
 * special, or NULL. */
static const struct {
	const char *name, *harmless;
} refused[] = {
    {"addressfamily", "any"},
    {"bindaddress", NULL},
    {"bindinterface", NULL},
    {"canonicalizehostname", "no"},
    {"casignaturealgorithms", NULL},
    {"ciphers", NULL},
    {"hostkeyalgorithms", NULL},
    {"kexalgorithms", NULL},
    {"knownhostscommand", "none"},
    {"macs", NULL},
    {"pkcs11provider", "none"},
    {"preferredauthentications", NULL},
    {"pubkeyacceptedalgorithms", NULL},
    {"pubkeyacceptedkeytypes", NULL},
    {"revokedhostkeys", "none"},
    {"smartcarddevice", NULL},
};

/* They change nothing here: what a session does later, how ssh asks and prints, limits that this
 * program has of its own, and what it never does (forwarding, GSSAPI, host-based login). */
static const char *const ignored[] = {
    "addkeystoagent",
    "batchmode",
    "canonicaldomains",
    "canonicalizefallbacklocal",
    "canonicalizemaxdots",
    "canonicalizepermittedcnames",
    "channeltimeout",
    "checkhostip",
    "cipher",
    "clearallforwardings",
    "compression",
    "compressionlevel",
    "connectionattempts",
    "connecttimeout",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "dynamicforward",
    "enableescapecommandline",
    "enablesshkeysign",
    "escapechar",
    "exitonforwardfailure",
    "fallbacktorsh",
    "fingerprinthash",
    "forkafterauthentication",
    "forwardagent",
    "forwardx11",
    "forwardx11timeout",
    "forwardx11trusted",
    "gatewayports",
    "gssapiauthentication",
    "gssapiclientidentity",
    "gssapidelegatecredentials",
    "gssapikexalgorithms",
    "gssapikeyexchange",
    "gssapirenewalforcesrekey",
    "gssapiserveridentity",
    "gssapitrustdns",
    "hostbasedacceptedalgorithms",
    "hostbasedauthentication",
    "hostbasedkeytypes",
    "ipqos",
    "keepalive",
    "localcommand",
    "localforward",
    "loglevel",
    "logverbose",
    "nohostauthenticationforlocalhost",
    "numberofpasswordprompts",
    "obscurekeystroketiming",
    "permitlocalcommand",
    "permitremoteopen",
    "protocol",
    "proxyusefdpass",
    "refuseconnection",
    "rekeylimit",
    "remotecommand",
    "remoteforward",
    "requesttty",
    "requiredrsasize",
    "rhostsrsaauthentication",
    "rsaauthentication",
    "securitykeyprovider",
    "sendenv",
    "serveralivecountmax",
    "serveraliveinterval",
    "sessiontype",
    "setenv",
    "skeyauthentication",
    "stdinnull",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "syslogfacility",
    "tag",
    "tcpkeepalive",
    "tisauthentication",
    "tunnel",
    "tunneldevice",
    "updatehostkeys",
    "useprivilegedport",
    "useroaming",
    "userhosts",
    "usersh",
    "verifyhostkeydns",
    "versionaddendum",
    "visualhostkey",
    "warnweakcrypto",
    "xauthlocation",
};

_Static_assert(ARRAY_SIZE(refused) <= SSH_REFUSED_MAX, "one number each");

int ssh_word(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(followed); i++)
		if (strcmp(followed[i].name, word) == 0)
			return (int)followed[i].word;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (strcmp(refused[i].name, word) == 0)
			return W_REFUSED + (int)i;
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		if (strcmp(ignored[i], word) == 0)
			return W_IGNORED;
	return W_UNKNOWN;
}

int ssh_word_harmless(int w, const char *value)
{
	const char *harmless = refused[w - W_REFUSED].harmless;

	return harmless && strcasecmp(value, harmless) == 0;
}
