"""Split brain, forged adverts and sleeping nodes: one owner, and clients that find it again."""
import re
import signal
import time
import unittest

import vrrp_wire
from namespaces import enter, run, send_signal, wait_until
from pair import VIP, VIP6, PairTest, Prober, kill


class FencingTest(PairTest):
    """What the pair's words lack: a switch that drops by protocol, and who speaks on the wire."""

    def drop(self, *matches):
        """The switch drops what matches one of the nft expressions; nothing: all passes again."""
        rules = ["table bridge fence", "delete table bridge fence"]
        if matches:
            rules += ["table bridge fence {", "chain forward {", "type filter hook forward priority 10"]
            rules += [match + " drop" for match in matches] + ["}", "}"]
        run(*enter(self.lab.switch.namespace, "nft", "-f", "-"), text_in="\n".join(rules + [""]))

    def mac(self, node):
        return re.search(r"link/ether (\S+)", self.lab.execute(node, "ip", "link", "show", "eth0").stdout)[1]

    def events(self, node, code):
        return [e for e in self.json(node, "events") if e["code"] == code]

    def vouched(self, node):
        try:
            with open(self.lab.path(node, "state", "vouched")) as file:
                return file.read()
        except FileNotFoundError:
            return ""


class SplitBrain(FencingTest):
    lasts = 40

    def test_two_owners_that_only_gossip_knows_of_become_one(self):
        owner = self.active()
        self.drop("ip protocol 112", "ip6 nexthdr 112")
        self.eventually(lambda: len(self.lab.holders(VIP)) == 2, 3, "both are active without adverts")
        self.eventually(lambda: len(self.lab.holders(VIP)) == 1, 3, "gossip demotes the loser")
        stays = self.active()
        gone = self.other(stays)
        self.tells(gone, "events", "VRRP_DEMOTED")
        self.tells(gone, "events", "DUAL_ACTIVE")
        self.assertFalse(wait_until(lambda: self.lab.holders(VIP) != [stays], 3), "a second owner came back")
        self.tells(gone, "status", "%s is active too and comes first" % stays)
        self.eventually(self.answers, 1, "clients have found the owner")
        kill(self.lab.pids(stays))
        self.eventually(lambda: gone in self.lab.holders(VIP), 3, "the demoted node serves when the other one dies")
        self.assertIn(owner, (stays, gone))

    def test_a_node_that_nobody_hears_leaves_the_addresses_to_those_it_hears(self):
        owner, peer = "lb2", "lb1"  # the one that adverts alone would let win
        if self.active() != owner:
            self.cli(peer, "failover --to " + owner)
            self.eventually(lambda: self.lab.holders(VIP) == [owner], 3, "lb2 has the address")
        self.drop('iifname "%s" oifname "%s"' % (owner, peer))
        self.eventually(lambda: self.lab.holders(VIP) == [peer], 4, "the unheard node gave up")
        self.tells(owner, "events", "no other node hears what this one sends")
        # The two have answered each other's announcements; this one's last regular one is 5 s after its takeover.
        self.eventually(self.answers, 5, "the other one serves")
        self.drop()
        self.assertFalse(wait_until(lambda: self.lab.holders(VIP) != [peer], 2), "the addresses moved back")
        kill(self.lab.pids(peer))
        self.eventually(lambda: owner in self.lab.holders(VIP), 1, "it is a backup again")

    def test_clients_are_back_within_a_second_after_a_healed_cut(self):
        for seconds in 1, 4:
            first, second = self.lab.node_names()[:2]
            with Prober(self.lab, VIP):
                self.lab.cut(first, second)
                self.eventually(lambda: len(self.lab.holders(VIP)) == 2, 3, "the cut split the pair")
                time.sleep(seconds)
            wire = vrrp_wire.Sniffer(self.lab.namespace("client"))
            with Prober(self.lab, VIP) as after:
                self.lab.heal()
                self.eventually(lambda: len(self.lab.holders(VIP)) == 1, 1, "one owner is left")
                winner = self.mac(self.active())
                after.await_more(300)
            said = [line for line in wire.stop() if line[2:] == ("arp", VIP) and line[1] == winner]
            self.assertLess(after.report.outage_ms, 1000, after.report.line())
            self.assertTrue(said, "the winner did not announce")


class Sleep(FencingTest):
    """Everything of the owner is stopped and goes on later: what does it say when it wakes?"""
    alone = True

    def setUp(self):
        super().setUp()
        self.cli("lb1", "loadbalancer create --name six --vip-address " + VIP6)
        self.eventually(lambda: len(self.lab.holders(VIP6)) == 1, 3, "IPv6 is served")
        self.eventually(lambda: self.lab.holders(VIP6) == self.lab.holders(VIP), 3, "one owner for both families")
        vrid = self.json("lb1", "vrrpgroup show default")["vrid"]
        self.addresses = VIP, VIP6, "fe80::200:5eff:fe00:2%02x" % vrid

    def freeze(self, seconds):
        """Who slept, and what the wire saw of it from its waking on."""
        sleeper = self.active()
        before = set(self.lab.pids(sleeper))
        wire = vrrp_wire.Sniffer(self.lab.namespace("client"))
        self.lab.pause(sleeper)
        time.sleep(seconds)
        woken = time.monotonic()
        self.lab.resume(sleeper)
        self.eventually(lambda: not self.held(sleeper), 3, "the addresses left the sleeper")
        self.gone_ms = (time.monotonic() - woken) * 1000
        time.sleep(1)
        self.assertEqual(set(self.lab.pids(sleeper)), before, "a process of it was replaced")
        mac = self.mac(sleeper)
        return sleeper, [line for line in wire.stop() if line[0] >= woken and line[1] == mac]

    def held(self, node):
        shown = self.lab.execute(node, "ip", "-o", "addr", "show", "dev", "eth0").stdout
        return [address for address in self.addresses if " %s/" % address in shown]

    def assertSilent(self, said):
        """No advert but resignations, no announcement of an address that is not the sleeper's own."""
        spoken = [line for line in said if (line[2] == "advert" and line[3] != "0") or line[3] in self.addresses]
        self.assertEqual(spoken, [], "the sleeper spoke as if it was active")

    def test_a_short_sleep_is_followed_by_silence(self):
        for seconds in 0.3, 1.0:
            sleeper, said = self.freeze(seconds)
            self.assertSilent(said)
            self.assertLess(self.gone_ms, 500, "the addresses stayed for too long")
            self.eventually(lambda: self.lab.holders(VIP) == [self.other(sleeper)], 1, "one owner")

    def test_a_long_sleep_is_followed_by_silence_and_the_kernel_drops_the_addresses(self):
        sleeper = self.active()
        self.lab.pause(sleeper)
        stopped = time.monotonic()
        self.eventually(lambda: not self.held(sleeper), 3, "the kernel dropped the addresses")
        self.assertGreater(time.monotonic() - stopped, 0.5)
        wire = vrrp_wire.Sniffer(self.lab.namespace("client"))
        woken = time.monotonic()
        self.lab.resume(sleeper)
        time.sleep(1.5)
        mac = self.mac(sleeper)
        self.assertSilent([line for line in wire.stop() if line[0] >= woken and line[1] == mac])
        self.assertFalse(self.held(sleeper))

    def test_a_process_that_is_replaced_after_a_sleep_listens_first(self):
        sleeper = self.active()
        vrrp = self.process(sleeper, "vrrp")
        self.lab.pause(sleeper)
        self.eventually(lambda: self.other(sleeper) in self.lab.holders(VIP), 1, "the other one takes over")
        time.sleep(0.8)
        send_signal([vrrp], signal.SIGKILL)
        wire = vrrp_wire.Sniffer(self.lab.namespace("client"))
        woken = time.monotonic()
        self.lab.resume(sleeper)
        self.eventually(lambda: "PROCESS_RESTARTED" in self.cli(sleeper, "events"), 3, "it is replaced")
        time.sleep(1.5)
        mac = self.mac(sleeper)
        self.assertSilent([line for line in wire.stop() if line[0] >= woken and line[1] == mac])
        self.assertEqual(self.lab.holders(VIP), [self.other(sleeper)])


class Families(FencingTest):
    def test_ipv6_ends_where_ipv4_is_however_late_its_owner_learns_of_it(self):
        owner = self.active()
        other = self.other(owner)
        late = [self.process(owner, "control")]
        send_signal(late, signal.SIGSTOP)
        self.cli(other, "loadbalancer create --name six --vip-address " + VIP6)
        self.eventually(lambda: self.lab.holders(VIP6) == [other], 4, "the node that knows of it serves it")
        send_signal(late, signal.SIGCONT)
        self.eventually(lambda: self.lab.holders(VIP6) == [owner], 6, "IPv6 goes where IPv4 is")
        self.assertEqual(self.active(), owner)


class Vouching(FencingTest):
    def test_two_nodes_that_start_without_gossip_elect_one(self):
        self.eventually(lambda: all(map(self.vouched, self.lab.node_names())), 2, "the nodes know each other")
        for node in self.lab.node_names():
            self.lab.stop(node)
        self.drop("udp dport 7850", "tcp dport 7850")
        for node in self.lab.node_names():
            self.lab.start(node, wait=False)
        self.eventually(lambda: len(self.lab.holders(VIP)) == 1 and self.answers(), 5, "one node serves")
        self.assertFalse(wait_until(lambda: len(self.lab.holders(VIP)) != 1, 2), "a second owner")

    def test_adverts_count_while_control_is_away(self):
        owner = self.active()
        for node in self.lab.node_names():
            send_signal([self.process(node, "control")], signal.SIGSTOP)
        self.assertFalse(wait_until(lambda: self.lab.holders(VIP) != [owner], 3), "the address moved")
        send_signal([self.process(self.other(owner), "vrrp")], signal.SIGKILL)
        self.assertFalse(wait_until(lambda: self.lab.holders(VIP) != [owner], 2), "the new process believes nobody")

    def test_a_host_on_the_link_takes_no_address(self):
        self.cli("lb1", "loadbalancer create --name six --vip-address " + VIP6)
        self.eventually(lambda: len(self.lab.holders(VIP6)) == 1, 3, "IPv6 is served")
        owner, owner6 = self.active(), self.active(VIP6)
        vrid = self.json("lb1", "vrrpgroup show default")["vrid"]
        link_local = "fe80::200:5eff:fe00:2%02x" % vrid
        forged = []
        for priority in 254, 255, 0:
            forged += [vrrp_wire.advert(self.lab.address("client"), VIP, vrid, priority),
                       vrrp_wire.advert("fe80::bad", link_local, vrid, priority)]
        forged += [vrrp_wire.advert(self.lab.address(self.other(owner)), VIP, vrid, 255)]
        vrrp_wire.send(self.lab.namespace("client"), forged, repeat=100, pause=0.01)
        self.assertEqual((self.active(), self.active(VIP6)), (owner, owner6))
        for source in "10.77.0.50", "fe80::bad":
            self.tells(owner, "events", source + " advertises")
        events = self.cli(owner, "events")
        self.assertRegex(events, r"VRRP_FOREIGN +10.77.0.50 advertises group default \(IPv4")
        self.assertRegex(events, r"VRRP_FOREIGN +fe80::bad advertises group default \(IPv6")
        self.assertNotIn("VIP_BACKUP", events.split("VRRP_FOREIGN", 1)[1])


class Joining(FencingTest):
    """A node that joins has no session with the owner yet, and must not become a second one."""

    formed, serves = False, False

    def test_a_joining_node_finds_the_owner_of_both_families(self):
        self.lab.form(1)
        self.lab.start("lb2")
        self.cli("lb1", "loadbalancer create --name web --vip-address %s --additional-vip %s" % (VIP, VIP6))
        self.eventually(lambda: all("lb1" in self.lab.holders(a) for a in (VIP, VIP6)), 4, "lb1 serves alone")
        self.cli("lb2", "join " + self.lab.token("lb1"))
        moved = wait_until(lambda: [a for a in (VIP, VIP6) if self.lab.holders(a) != ["lb1"]], 4)
        self.assertFalse(moved, "%s was taken by the joining node" % moved)
        self.assertNotIn("VRRP_FOREIGN", self.cli("lb2", "events"))
        self.assertIn("fe80::", self.vouched("lb2"))


if __name__ == "__main__":
    unittest.main()
