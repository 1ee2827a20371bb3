// SPDX-License-Identifier: Apache-2.0
#include "facts.h"
#include "mem.h"
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define ROUTES_MAX 512
#define PORTS_MAX  4096

/* ---- addresses ---- */

static void add_addresses(json_t *out)
{
	json_t *list = json_array();
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		all = NULL;
	for (struct ifaddrs *ifa = all; ifa; ifa = ifa->ifa_next) {
		struct addr a;
		char text[ADDR_STR_MAX];

		if (addr_from_sockaddr(ifa->ifa_addr, &a) && json_array_size(list) < ROUTES_MAX)
			json_array_append_new(list,
			                      json_pack("{ss ss}", "address", addr_host(&a, text),
			                                "device", ifa->ifa_name));
	}
	freeifaddrs(all);
	json_object_set_new(out, "addresses", list);
}

/* The address that this machine talks from by default; a connected UDP socket sends nothing. */
static void add_default_source(json_t *out)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)}, from = {0};
	socklen_t len = sizeof(from);
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[INET_ADDRSTRLEN] = "";

	inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&from, &len) == 0)
		inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text));
	facts_string(out, "default_source", text);
}

/* ---- routes ---- */

static void append_route(json_t *list, const struct cidr *to, const char *dev)
{
	char text[ADDR_STR_MAX];

	if (json_array_size(list) < ROUTES_MAX)
		json_array_append_new(
		    list, json_pack("{ss ss}", "to", cidr_str(to, text), "device", dev));
}

/* One line of /proc/net/route: device, destination and mask in host-order hex. The default route is
 * 0.0.0.0/0; a route that refuses has no device. */
static void add_route(void *ctx, char *line)
{
	char dev[32];
	unsigned dest, mask;
	struct cidr c = {.addr.family = AF_INET};

	if (sscanf(line, "%31s %x %*x %*x %*d %*d %*d %x", dev, &dest, &mask) != 3 ||
	    strcmp(dev, "*") == 0)
		return;
	c.addr.v4.s_addr = dest;
	c.bits = (uint8_t)__builtin_popcount(mask);
	append_route(ctx, &c, dev);
}

/* One line of /proc/net/ipv6_route: destination, its length, source and its length, next hop,
 * metric, two counters, flags, device. Loopback, link-local and multicast are on every machine. */
static void add_route6(void *ctx, char *line)
{
	char hex[33], dev[32];
	unsigned bits;
	struct cidr c = {.addr.family = AF_INET6};

	if (sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %*x %31s", hex, &bits, dev) != 3 ||
	    strlen(hex) != 32 || bits > 128 || strcmp(dev, "lo") == 0)
		return;
	for (size_t i = 0; i < 16; i++) {
		unsigned byte = 0;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return;
		c.addr.bytes[i] = (uint8_t)byte;
	}
	if (c.addr.bytes[0] == 0xff || (c.addr.bytes[0] == 0xfe && c.addr.bytes[1] == 0x80))
		return;
	c.bits = (uint8_t)bits;
	append_route(ctx, &c, dev);
}

/* ---- ports ---- */

struct port_list {
	json_t *ports;
	unsigned state; /* 0A is TCP's LISTEN, 07 an unconnected UDP socket */
	uint8_t seen[65536 / 8];
};

/* A line of /proc/net/{tcp,udp}: the local port in hex behind the last colon of field 2. */
static void add_port(void *ctx, char *line)
{
	struct port_list *s = ctx;
	unsigned port, st;

	if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &port, &st) != 2 ||
	    st != s->state || port > 65535 || s->seen[port / 8] & 1 << port % 8 ||
	    json_array_size(s->ports) >= PORTS_MAX)
		return;
	s->seen[port / 8] |= (uint8_t)(1 << port % 8);
	json_array_append_new(s->ports, json_integer(port));
}

static void add_ports(json_t *out, const char *key, const char *proto, unsigned state)
{
	auto_free char *v4 = xasprintf("/proc/net/%s", proto);
	auto_free char *v6 = xasprintf("/proc/net/%s6", proto);
	struct port_list list = {.ports = json_array(), .state = state};

	facts_each_line(v4, add_port, &list);
	facts_each_line(v6, add_port, &list);
	json_object_set_new(out, key, list.ports);
}

/* ---- devices of an earlier cluster ---- */

static void add_devices(json_t *out)
{
	static const char *const names[] = {
	    "cni0",         "flannel.1",   "flannel-v6.1", "kube-ipvs0",  "tunl0",
	    "vxlan.calico", "cilium_host", "cilium_vxlan", "kube-bridge", "weave"};
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	json_t *list = json_array();

	for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(names); i++) {
		struct ifreq r = {0};

		snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", names[i]);
		/* the module ipip makes a tunl0 in every namespace, which is down */
		if (ioctl(fd, SIOCGIFFLAGS, &r) == 0 &&
		    (r.ifr_flags & IFF_UP || strcmp(names[i], "tunl0") != 0))
			facts_add(list, names[i]);
	}
	json_object_set_new(out, "devices_left", list);
}

void facts_net(json_t *out)
{
	json_t *routes = json_array();

	add_addresses(out);
	facts_each_line("/proc/net/route", add_route, routes);
	facts_each_line("/proc/net/ipv6_route", add_route6, routes);
	json_object_set_new(out, "routes", routes);
	add_default_source(out);
	add_ports(out, "ports_busy", "tcp", 0x0a);
	add_ports(out, "udp_busy", "udp", 0x07);
	add_devices(out);
}
