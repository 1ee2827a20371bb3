// SPDX-License-Identifier: Apache-2.0
#pragma once

#define SSH_REFUSED_MAX 32

/* The words of ssh_config(5), by what this program does with them. */
enum ssh_word {
	W_HOST,
	W_MATCH,
	W_HOSTNAME,
	W_PORT,
	W_USER,
	W_IDENTITYFILE,
	W_CERTIFICATEFILE,
	W_IDENTITIESONLY,
	W_IDENTITYAGENT,
	W_USERKNOWNHOSTSFILE,
	W_GLOBALKNOWNHOSTSFILE,
	W_HOSTKEYALIAS,
	W_PROXYJUMP,
	W_PROXYCOMMAND,
	W_STRICTHOSTKEYCHECKING,
	W_HASHKNOWNHOSTS,
	W_PUBKEYAUTHENTICATION,
	W_PASSWORDAUTHENTICATION,
	W_KBDINTERACTIVEAUTHENTICATION,
	W_IGNOREUNKNOWN,
	W_FOLLOWED, /* how many are followed */
	W_IGNORED = W_FOLLOWED,
	W_UNKNOWN,
	W_REFUSED, /* and those behind it, one number for each word */
};

/* word: lower case. */
int ssh_word(const char *word);
/* Does this value of a refused word ask for nothing special? w: W_REFUSED or more. */
int ssh_word_harmless(int w, const char *value);
