/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* ms, of a clock that nobody sets. */
uint64_t clock_ms(void);
/* The earlier of two times. */
static inline uint64_t clock_sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}
/* The next multiple of step (ms) after now: timers in no hurry go off together, since a wake-up
 * costs more than most of what is done in it. */
static inline uint64_t clock_next(uint64_t now, unsigned step)
{
	return (now / step + 1) * step;
}
/* Any number below n, so that the nodes of a cluster do not act in step; the middle as long as the
 * kernel has no randomness. */
uint32_t clock_spread(uint32_t n);
