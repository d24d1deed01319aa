"""Addresses that killed processes leave behind, and what takes them away."""
import json

from pair import VIP, VIP6, PairTest, kill


class Release(PairTest):
    nodes = 1

    def test_vip_release_removes_what_killed_processes_left_and_nothing_else(self):
        self.cli("lb1", "loadbalancer create --name six --vip-address " + VIP6)
        self.eventually(lambda: self.lab.holds("lb1", VIP6), 5, "lb1 has %s too" % VIP6)
        theirs = "10.77.0.99/32"
        self.lab.execute("lb1", "ip", "addr", "add", theirs, "dev", "eth0", "valid_lft", "60", "preferred_lft", "60")
        kill(self.lab.pids("lb1"))
        self.assertTrue(self.lab.holds("lb1", VIP), "an address outlives its processes for a moment")
        released = json.loads(self.lab.lbnode("lb1", "vip", "release", "-o", "json").stdout)["released"]
        self.assertEqual({entry["address"] for entry in released} & {VIP, VIP6}, {VIP, VIP6})
        self.assertEqual({entry["interface"] for entry in released}, {"eth0"})
        self.assertFalse(self.lab.holds("lb1", VIP) or self.lab.holds("lb1", VIP6))
        self.assertTrue(self.lab.holds("lb1", "10.77.0.99"), "another program's address stays")
        self.assertEqual(self.cli("lb1", "vip release"), "", "nothing is left to remove")
        self.assertIn("usage", self.cli("lb1", "vip release now", code=2))
