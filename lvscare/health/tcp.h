/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A socket for one connection straight to a real server, non-blocking and without Nagle's delay.
 * Returns its file descriptor, the caller's to close, or -1 with errno.
 *
 * Its source port is its own until the connection is forgotten, TIME_WAIT and all. connect() alone
 * would take a port that a client of the virtual address has as well, as the two go to different
 * addresses; but IPVS makes the client's packets look like ours on the wire, and the real server
 * answers the one with what belongs to the other: a SYN lost, a connection reset. The kernel gives
 * connect() no port that was bound (inet_hash_connect), and for bound ones prefers the odd, for
 * connect() the even (ip_local_port_range).
 */
int tcp_socket(int family);

/* The same for one connection to the virtual address: a client's, whose source port connect() picks
 * among those that no connection straight to a real server had. */
int tcp_client_socket(int family);
