// SPDX-License-Identifier: Apache-2.0
#include "clock.h"

#include <sys/random.h>
#include <time.h>

uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint32_t clock_spread(uint32_t n)
{
	uint32_t r;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) < 0 || !n)
		return n / 2;
	return r % n;
}
