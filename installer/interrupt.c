// SPDX-License-Identifier: Apache-2.0
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#define EXIT_INTERRUPTED 130 /* 128 + SIGINT, as shells have it */

static volatile sig_atomic_t requests; /* written by the signal handler alone */

static void on_signal(int sig)
{
	(void)sig;
	if (requests++)
		_exit(EXIT_INTERRUPTED);
}

void interrupt_init(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	const struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigaction was;

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL); /* nohup's SIGHUP stays ignored */
}

bool interrupt_requested(void)
{
	return requests > 0;
}
