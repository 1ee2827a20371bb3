#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tests give this image a command, or arguments alone.
exec "$@"
