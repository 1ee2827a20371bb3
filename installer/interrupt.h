// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

/*
 * ^C, SIGTERM and SIGHUP reach only the operator's process. The first one asks the run to end at
 * the next safe point of each machine; the second one ends the program at once, with status 130,
 * while the machines still go on to that point by themselves.
 */
void interrupt_init(void);
bool interrupt_requested(void);
