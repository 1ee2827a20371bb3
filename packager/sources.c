// SPDX-License-Identifier: Apache-2.0
#include "sources.h"

#ifndef SOURCES_ALL /* checked by an analyzer, not made by the Makefile */
#define SOURCES_GOBUILD ""
#define SOURCES_ALL     ""
#endif

const char sources_gobuild[] = SOURCES_GOBUILD;
const char sources_all[] = SOURCES_ALL;
