"""VRRP routers that are no node of the cluster on the same link: Debian's keepalived is followed where the group says
so, and takes turns with a node in both directions; else it is named and ignored."""
import os
import re
import shutil
import signal
import sys
import unittest

import namespaces
from pair import VIP, VIP6, PairTest

if not shutil.which("keepalived"):
    print("\n*** keepalived is not installed: the interoperation with it is NOT tested ***\n", file=sys.stderr)

VRID = 51
KEEPALIVED = """global_defs {
  vrrp_version %(version)d
  vrrp_garp_master_delay 1
}
vrrp_instance web {
  state BACKUP
  interface eth0
  virtual_router_id %(vrid)d
  priority %(priority)d
  advert_int %(interval)s
  %(options)s
  virtual_ipaddress {
    %(addresses)s
  }
}
"""
# Before 2.4 keepalived cannot send the sum of RFC 9568, so where a node sends that one, it does not listen.
COMPAT = "vrrpgroup set --policy COMPAT --advert-interval-ms 100 --checksum PSEUDO --mode "
FIRST6 = "fe80::200:5eff:fe00:2%02x" % VRID
# Adverts of priority 200 each 100 ms; their sum is over the message alone.
RFC9568_ROUTER = """
import socket, struct, sys, time
own, vip, vrid = sys.argv[1], sys.argv[2], int(sys.argv[3])
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
message = struct.pack("!BBBBHH", 0x31, vrid, 200, 1, 10, 0) + socket.inet_aton(vip)
total = sum(struct.unpack("!6H", message))
total = (total & 0xffff) + (total >> 16)
message = message[:6] + struct.pack("!H", ~total & 0xffff) + message[8:]
while True:
    out.sendto(message, ("224.0.0.18", 0))
    time.sleep(0.1)
"""


def link_local(lab, host):
    shown = namespaces.ip(lab.namespace(host), "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link")
    found = [address for address in re.findall(r"inet6 (fe80:\S+)/", shown) if address != FIRST6]
    return found[0]


@unittest.skipUnless(shutil.which("keepalived"), "keepalived is not installed")
class Mixed(PairTest):
    """lb1 is the cluster, lb2 runs keepalived."""

    formed = serves = False
    workers = 1

    def start(self, settings, vip=VIP):
        """lb1 owns VIP, with SETTINGS of its group."""
        self.vip = vip
        self.lab.start("lb1")
        self.cli("lb1", "init")
        self.cli("lb1", "vrrpgroup set --vrid %d default" % VRID)
        if settings:
            self.cli("lb1", settings + " default")
        self.serve("lb1", vip)
        self.eventually(lambda: self.lab.holds("lb1", vip), 5, "lb1 has the address")

    # ---- keepalived ---------------------------------------------------------------------------

    def keepalived(self, priority, version=3, unicast=False, interval="0.1", options="", host="lb2"):
        if unicast:
            ends = [link_local(self.lab, host) if ":" in self.vip else self.lab.address(host)
                    for host in ("lb2", "lb1")]
            options += "\n  unicast_src_ip %s\n  unicast_peer {\n    %s\n  }" % tuple(ends)
        addresses = [FIRST6 + "/64", VIP6 + "/128"] if ":" in self.vip else [VIP + "/32"]
        path = self.lab.path(host, "keepalived.conf")
        with open(path, "w") as file:
            file.write(KEEPALIVED % {"version": version, "vrid": VRID, "priority": priority, "interval": interval,
                                     "options": options, "addresses": "\n    ".join(addresses)})
        self.lab.spawn(host, "keepalived", "--dont-fork", "--vrrp", "--log-console", "--use-file=" + path,
                       "--pid=" + self.lab.path(host, "keepalived.pid"),
                       "--vrrp_pid=" + self.lab.path(host, "vrrp.pid"))

    def keepalived_pids(self):
        return [pid for pid in namespaces.pids(self.lab.namespace("lb2"))
                if "keepalived" in namespaces.executable(pid)]

    def kill_keepalived(self):
        """SIGKILL; then what a killed keepalived leaves behind: its addresses and its files."""
        namespaces.kill_as_one(self.keepalived_pids())
        for address in VIP + "/32", VIP6 + "/128", FIRST6 + "/64":
            namespaces.ip(self.lab.namespace("lb2"), "addr", "del", address, "dev", "eth0", check=False)
        for name in "keepalived.pid", "vrrp.pid":
            if os.path.exists(self.lab.path("lb2", name)):
                os.remove(self.lab.path("lb2", name))

    def stop_keepalived(self):
        """In order: it resigns with priority 0."""
        parent = min(self.keepalived_pids())
        os.kill(parent, signal.SIGTERM)
        self.eventually(lambda: not self.keepalived_pids(), 3, "keepalived has ended")

    def keepalived_says(self, what):
        """Since it was started last."""
        with open(self.lab.log("lb2"), errors="replace") as log:
            return what in log.read().rsplit("Starting VRRP child process", 1)[-1]

    # ---- what happens -------------------------------------------------------------------------

    def group(self):
        family = "IPv6" if ":" in self.vip else "IPv4"
        for group in self.json("lb1", "status")["vrrp"]:
            if group["family"] == family:
                return group
        return {}

    def owns(self, host, seconds, what):
        self.eventually(lambda: self.lab.holders(self.vip) == [host], seconds, what)

    def both_directions(self, unicast=False):
        """Higher priority preempts; each takes over from the other: by its death, and by priority 0."""
        self.keepalived(200, unicast=unicast)
        self.owns("lb2", 4, "keepalived's higher priority wins")
        self.kill_keepalived()
        self.owns("lb1", 1.5, "lb1 takes over from the dead keepalived")
        self.keepalived(50, unicast=unicast)
        self.eventually(lambda: self.keepalived_says("Entering BACKUP STATE"), 3, "keepalived runs")
        namespaces.kill_as_one(self.lab.pids("lb1"))
        self.eventually(lambda: self.lab.holds("lb2", self.vip), 1.5, "keepalived takes over from the dead lb1")
        self.lab.start("lb1")
        self.owns("lb2", 4, "without preemption the returning lb1 follows")
        self.stop_keepalived()
        self.owns("lb1", 1, "keepalived's priority 0 is followed at once")
        self.keepalived(50, unicast=unicast)
        self.eventually(lambda: self.keepalived_says("Entering BACKUP STATE"), 3, "keepalived runs again")
        self.lab.stop("lb1")
        self.eventually(lambda: self.lab.holds("lb2", self.vip), 1, "keepalived follows priority 0 of lb1")

    def test_ipv4_multicast(self):
        self.start(COMPAT + "MULTICAST")
        self.both_directions()

    def test_ipv6_multicast(self):
        self.start(COMPAT + "MULTICAST", VIP6)
        self.both_directions()

    def test_ipv4_unicast(self):
        self.start(COMPAT + "UNICAST --unicast-peer " + self.lab.address("lb2"))
        self.both_directions(unicast=True)

    def test_ipv6_unicast(self):
        self.start(COMPAT + "UNICAST --unicast-peer " + link_local(self.lab, "lb2"), VIP6)
        self.both_directions(unicast=True)

    def test_a_node_preempts_where_its_group_says_so(self):
        self.start(COMPAT + "MULTICAST --enable-preempt")
        self.lab.stop("lb1")
        self.keepalived(50)
        self.eventually(lambda: self.lab.holds("lb2", VIP), 4, "keepalived is active")
        self.lab.start("lb1")
        self.owns("lb1", 4, "the higher priority of lb1 takes the address")

    def test_keepalived_is_followed_whatever_sum_a_node_sends_but_does_not_follow_it(self):
        """Debian's keepalived knows its own sum alone, so both would be active: an event says what to do."""
        self.start(COMPAT.replace("PSEUDO", "RFC9568") + "MULTICAST")
        self.keepalived(200)
        self.owns("lb2", 5, "lb1 accepts keepalived's sum")
        self.tells("lb1", "events", "vrrpgroup set --checksum PSEUDO default")
        self.stop_keepalived()
        self.owns("lb1", 1, "and its priority 0")
        self.keepalived(50)
        self.eventually(lambda: self.keepalived_says("nvalid VRRPv3 checksum"), 5, "keepalived refuses the other sum")

    def test_a_router_that_sends_the_sum_of_rfc_9568_is_followed(self):
        """Cisco, Juniper and Arista do; keepalived of Debian cannot, so a raw socket speaks."""
        self.start(COMPAT + "MULTICAST")
        router = self.lab.spawn("lb2", sys.executable, "-c", RFC9568_ROUTER, self.lab.address("lb2"), VIP, str(VRID))
        self.addCleanup(router.wait)
        self.addCleanup(router.kill)
        self.eventually(lambda: self.group().get("active_address") == self.lab.address("lb2"), 3, "lb1 follows it")
        self.assertFalse(self.lab.holds("lb1", VIP))
        router.kill()
        self.owns("lb1", 1.5, "lb1 takes over from it")

    def named(self, text, seconds=5):
        self.eventually(lambda: text in self.cli("lb1", "events"), seconds, "events say %r" % text)
        self.assertTrue(self.lab.holds("lb1", VIP), "lb1 gave way")

    def test_version_2_is_named_and_ignored_even_with_compat(self):
        """Plain on lb2, behind an authentication header on w1."""
        self.start(COMPAT + "MULTICAST")
        self.keepalived(200, version=2, interval="1")
        self.keepalived(200, version=2, interval="1", host="w1",
                        options="authentication {\n    auth_type AH\n    auth_pass s3cretpw\n  }")
        for host in "lb2", "w1":
            self.named("keepalived or another router speaking VRRPv2 on VRID 51 from " + self.lab.address(host))
        self.tells("lb1", "status", "speaks VRRPv2")

    def test_a_stranger_of_priority_255_takes_nothing_from_a_strict_group(self):
        self.start("")
        self.keepalived(255)
        self.named("VRRP_FOREIGN")
        self.tells("lb1", "events", self.lab.address("lb2"))
