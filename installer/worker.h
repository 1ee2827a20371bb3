// SPDX-License-Identifier: Apache-2.0
#pragma once

struct bundle;
struct host;
struct ssh_config;

/*
 * One machine's process: takes requests on fd, holds the connection. "connect" makes it (over SSH
 * it brings this program along), "prepare" sends the blobs that are missing there, puts the files
 * in place and imports the images; everything else goes to the node as it is. Returns the exit
 * status.
 */
int worker_main(int fd, const struct host *host, const struct ssh_config *ssh,
                const struct bundle *bundle);
