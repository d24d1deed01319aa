"""Two vrrp processes without the rest of a node, in network namespaces on one bridge."""
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "deploy", "lib"))
import namespaces  # noqa: E402
from namespaces import Switch, wait_until  # noqa: E402
import vrrp_wire  # noqa: E402

NET, NET6 = "10.78.0.%d", "fd78::%x"
VIP, VIP6, LATER = NET % 100, NET6 % 0x100, NET % 101
LINK_LOCAL_VIP = "fe80::200:5eff:fe00:233"
numbers = itertools.count(1)


def harness():
    """The program beside the lbnode under test."""
    lbnode = os.environ.get("LBNODE", os.path.join(ROOT, "build", "lbnode", "node", "lbnode"))
    build = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(lbnode))))
    return os.path.join(build, "tests", "support", "vrrp_harness")


@unittest.skipUnless(os.geteuid() == 0 and os.access(harness(), os.X_OK), "needs root and vrrp_harness")
class VrrpProcess(unittest.TestCase):
    longMessage = False

    def setUp(self):
        self.name = "t%d-v%d" % (os.getpid(), next(numbers))  # the name tells leftovers of dead runs
        self.switch = Switch(self.name + "-switch")
        self.directory = tempfile.TemporaryDirectory(prefix="lbnode-vrrp-")
        self.addCleanup(self.directory.cleanup)
        self.addCleanup(self.remove)
        self.children = []
        self.switch.create()
        for node in 1, 2:
            self.switch.attach("port%d" % node, self.namespace(node), [NET % node + "/24", NET6 % node + "/64"])
        for node in 1, 2:
            self.start(node)
        self.assertTrue(wait_until(lambda: self.owner(), 3), "no owner within 3 s of a start of both")

    def remove(self):
        for namespace in self.namespace(1), self.namespace(2), self.switch.namespace:
            namespaces.destroy(namespace)
        for child in self.children:
            child.wait()

    def namespace(self, node):
        return "%s-lb%d" % (self.name, node)

    def log(self, node):
        with open(os.path.join(self.directory.name, str(node))) as file:
            return file.read()

    def start(self, node, *more):
        with open(os.path.join(self.directory.name, str(node)), "w") as log:
            self.children.append(subprocess.Popen(
                namespaces.enter(self.namespace(node), harness(), "--peer", NET % (3 - node), "--vip", VIP,
                                 "--vip", VIP6, "--later", LATER, "--source", self.link_local(3 - node), *more),
                stdout=log, stderr=log))

    def link_local(self, node):
        return re.search(r"inet6 (fe80::\S+)/64", self.ip(node, "addr", "show", "dev", "eth0"))[1]

    def holds(self, node, address=VIP):
        return re.search(r"inet6? %s/" % address, self.ip(node, "addr", "show"))

    def ip(self, node, *arguments):
        return namespaces.ip(self.namespace(node), *arguments, check=False)

    def owner(self):
        """The node that holds every address while the other one holds none, or None."""
        every = VIP, VIP6, LINK_LOCAL_VIP
        for node in 1, 2:
            if all(self.holds(node, a) for a in every) and not any(self.holds(3 - node, a) for a in every):
                return node
        return None

    def vrrp_pid(self, node):
        return int(re.findall(r" PID (\d+)", self.log(node))[-1])

    def test_the_other_node_takes_over_when_the_owner_is_killed(self):
        owner = self.owner()
        killed = time.monotonic()
        namespaces.kill_as_one(namespaces.pids(self.namespace(owner)))
        self.assertTrue(wait_until(lambda: self.holds(3 - owner), 1), "no takeover within 1 s")
        self.assertTrue(wait_until(lambda: self.owner() == 3 - owner, killed + 3 - time.monotonic()),
                        "the killed node still has an address after 3 s:\n" + self.ip(owner, "addr"))

    def test_a_dead_process_is_replaced_in_place(self):
        owner = self.owner()
        os.kill(self.vrrp_pid(owner), signal.SIGKILL)
        time.sleep(1)
        self.assertEqual(self.owner(), owner, "the addresses moved\n" + self.log(owner))
        self.assertNotIn("VIP_ACTIVE", self.log(3 - owner))
        self.assertNotIn("VRRP_FOREIGN", self.log(3 - owner))

    def test_an_owner_that_slept_listens_before_it_speaks(self):
        owner = self.owner()
        os.kill(self.vrrp_pid(owner), signal.SIGSTOP)
        self.assertTrue(wait_until(lambda: self.holds(3 - owner), 1), "no takeover within 1 s")
        os.kill(self.vrrp_pid(owner), signal.SIGCONT)
        self.assertTrue(wait_until(lambda: self.owner() == 3 - owner, 1), "the sleeper kept an address")
        time.sleep(1)
        self.assertEqual(self.owner(), 3 - owner, "the sleeper took the addresses back")
        self.assertNotIn("VIP_CLAIMED", self.log(owner), "the sleeper contradicted the new owner")

    def test_a_deleted_address_comes_back(self):
        owner = self.owner()
        self.ip(owner, "addr", "del", VIP + "/32", "dev", "eth0")
        self.ip(owner, "addr", "del", VIP6 + "/128", "dev", "eth0")
        self.assertTrue(wait_until(lambda: self.owner() == owner, 1), "not put back")
        self.assertIn("VIP_REPLACED", self.log(owner))

    def test_somebody_who_claims_an_address_is_named_and_answered(self):
        owner = self.owner()
        claim = "\n".join((
            "import socket, sys",
            "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
            "s.bind(('eth0', 0))",
            "mac, ip = bytes.fromhex('020000000099'), socket.inet_aton(sys.argv[1])",
            "s.send(b'\\xff' * 6 + mac + bytes.fromhex('08060001080006040002') + mac + ip + mac + ip)"))
        subprocess.run(namespaces.enter(self.namespace(3 - owner), "python3", "-c", claim, VIP), check=True)
        self.assertTrue(wait_until(lambda: "VIP_CLAIMED" in self.log(owner), 1), self.log(owner))
        self.assertIn("02:00:00:00:00:99", self.log(owner))
        self.assertNotIn("VIP_CLAIMED", self.log(3 - owner))

    def test_a_foreign_neighbour_advertisement_is_named_and_answered(self):
        owner = self.owner()
        claim = "\n".join((
            "import socket, sys",
            "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
            "s.bind(('eth0', 0))",
            "mac, ip = bytes.fromhex('020000000098'), socket.inet_pton(socket.AF_INET6, sys.argv[1])",
            "group = socket.inet_pton(socket.AF_INET6, 'ff02::1')",
            "icmp = bytes.fromhex('88000000a0000000') + ip + b'\\x02\\x01' + mac",
            "s.send(bytes.fromhex('333300000001') + mac + bytes.fromhex('86dd6000000000203aff') + ip + group + icmp)"))
        subprocess.run(namespaces.enter(self.namespace(3 - owner), "python3", "-c", claim, VIP6), check=True)
        self.assertTrue(wait_until(lambda: "02:00:00:00:00:98 says that " + VIP6 in self.log(owner), 1), self.log(owner))

    def test_a_node_that_may_not_serve_hands_over_and_does_not_take_back(self):
        owner = self.owner()
        parent = self.children[owner - 1].pid
        os.kill(parent, signal.SIGUSR1)
        self.assertTrue(wait_until(lambda: self.owner() == 3 - owner, 1), "no hand-over")
        os.kill(parent, signal.SIGUSR1)
        time.sleep(2)
        self.assertEqual(self.owner(), 3 - owner, "the addresses moved back")

    def test_adverts_that_nobody_vouches_for_are_named_and_ignored(self):
        owner = self.owner()
        attacker = self.name + "-evil"
        self.switch.attach("evil", attacker, [NET % 66 + "/24"])
        self.addCleanup(namespaces.destroy, attacker)
        forged = [vrrp_wire.advert(NET % 66, VIP, 51, priority) for priority in (254, 255, 0)]
        forged += [vrrp_wire.advert("fe80::bad:1", LINK_LOCAL_VIP, 51, priority) for priority in (254, 255, 0)]
        forged += [vrrp_wire.advert(NET % (3 - owner), VIP, 51, 255),  # even in the name of a node
                   vrrp_wire.advert(self.link_local(3 - owner), LINK_LOCAL_VIP, 51, 255)]
        before = [self.log(node).count(" STATUS ") for node in (1, 2)]
        vrrp_wire.send(attacker, forged, repeat=50, pause=0.01)
        self.assertEqual(self.owner(), owner, "the addresses moved\n" + self.log(owner))
        self.assertEqual([self.log(node).count(" STATUS ") for node in (1, 2)], before, self.log(owner))
        self.assertRegex(self.log(owner), r"VRRP_FOREIGN %s advertises group default \(IPv4, VRID 51\) on eth0 "
                         r"with priority 254; ignored, it is an address that no node vouches for" % (NET % 66))
        self.assertRegex(self.log(owner), r"VRRP_FOREIGN fe80::bad:1 advertises group default \(IPv6")
        self.assertRegex(self.log(owner), r"VRRP_FOREIGN %s .* priority 255" % (NET % (3 - owner)))

    def test_a_node_of_the_roster_counts_only_after_a_live_session(self):
        node = 3 - self.owner()
        children, self.children = self.children, []
        children[node - 1].terminate()
        self.assertTrue(wait_until(lambda: not namespaces.pids(self.namespace(node)), 3), "it lives on")
        self.start(node, "--unproven")
        self.children += children
        self.assertTrue(wait_until(lambda: self.holds(node), 3), "adverts of the other node were believed")
        # One of the two families is told first, and the other one not so soon after it.
        said = "the address of a node that never answered by gossip|an address that no node vouches for"
        self.assertTrue(wait_until(lambda: re.search(said, self.log(node)), 4), self.log(node))

    def test_after_a_healed_cut_one_node_has_everything(self):
        self.switch.filter([("port1", "port2")], 0)
        self.assertTrue(wait_until(lambda: self.holds(1) and self.holds(2), 2), "the cut did not split the pair")
        self.switch.filter([], 0)
        self.assertTrue(wait_until(lambda: self.owner(), 1), "still two owners")

    def test_stopping_resigns_and_removes_the_addresses(self):
        owner = self.owner()
        self.children[owner - 1].send_signal(signal.SIGTERM)
        self.assertTrue(wait_until(lambda: self.holds(3 - owner), 1), "no hand-over")
        self.assertTrue(wait_until(lambda: self.owner() == 3 - owner, 2), "addresses linger for too long")
        self.assertTrue(wait_until(lambda: " EXIT 0" in self.log(owner), 2), self.log(owner))

    def test_an_address_of_a_node_is_never_taken_from_it(self):
        for child in self.children:
            child.terminate()
        self.assertTrue(wait_until(lambda: not any(namespaces.pids(self.namespace(n)) for n in (1, 2)), 2),
                        "a process lives on")
        for node in 2, 1:  # the thief comes first
            self.start(node, "--vip", NET % 1)
        self.assertTrue(wait_until(lambda: self.holds(1) or self.holds(2), 3), "no owner")
        time.sleep(0.5)
        self.assertFalse(self.holds(2, NET % 1), "node 2 took the address of node 1")
        self.assertTrue(self.holds(1, NET % 1), "node 1 lost its own address")

    def test_an_address_comes_and_goes_without_an_election(self):
        owner = self.owner()
        before = self.log(owner).count(" VIP_")
        for present in True, False:
            for child in self.children:
                child.send_signal(signal.SIGUSR2)
            self.assertTrue(wait_until(lambda: bool(self.holds(owner, LATER)) == present, 1),
                            "%s is %s" % (LATER, "missing" if present else "left behind"))
        self.assertEqual(self.log(owner).count(" VIP_"), before, self.log(owner))
        self.assertEqual(self.owner(), owner)

    def test_without_a_supervisor_the_process_resigns_and_ends(self):
        owner = self.owner()
        process = self.vrrp_pid(owner)
        self.children[owner - 1].kill()
        self.assertTrue(wait_until(lambda: self.owner() == 3 - owner, 1), "no hand-over")
        self.assertTrue(wait_until(lambda: not namespaces.is_alive(process), 1), "vrrp lives on")

    def test_without_its_link_a_node_gives_up(self):
        owner = self.owner()
        self.switch.set_port("port%d" % owner, False)
        self.assertTrue(wait_until(lambda: self.owner() == 3 - owner, 1), "no takeover")
        self.assertIn("interface eth0 is down", self.log(owner))

    def test_a_link_that_comes_back_brings_no_adverts_of_before(self):
        for node in 1, 2:
            namespaces.kill_as_one(namespaces.pids(self.namespace(node)))
            self.start(node, "--interval", "10")
        self.assertTrue(wait_until(lambda: self.owner(), 5), "no owner")
        owner = self.owner()
        self.switch.set_port("port%d" % owner, False)
        self.assertTrue(wait_until(lambda: self.holds(3 - owner), 2), "no takeover")
        said = self.log(3 - owner)
        self.switch.set_port("port%d" % owner, True)
        time.sleep(0.5)
        self.assertNotIn("VIP_BACKUP", self.log(3 - owner)[len(said):], "the new owner gave way")


if __name__ == "__main__":
    unittest.main()
