"""A VRRP router that is no node of the cluster on the same link: followed where the group says so, else not."""
import os
import shutil
import time
import unittest

import namespaces
from pair import VIP, PairTest

KEEPALIVED = """global_defs {
  vrrp_version 3
}
vrrp_instance web {
  state BACKUP
  interface eth0
  virtual_router_id %d
  priority %d
  advert_int 0.1
  virtual_ipaddress {
    %s/32
  }
}
"""


@unittest.skipUnless(shutil.which("keepalived"), "there is no keepalived")
class Mixed(PairTest):
    formed = serves = False

    def setUp(self):
        super().setUp()
        self.lab.start("lb1")
        self.cli("lb1", "init")
        self.serve("lb1")
        self.eventually(lambda: self.lab.holds("lb1", VIP), 5, "lb1 has the address")

    def keepalived(self, priority):
        vrid = self.json("lb1", "vrrpgroup show default")["vrid"]
        path = self.lab.path("lb2", "keepalived.conf")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(KEEPALIVED % (vrid, priority, VIP))
        self.lab.spawn("lb2", "keepalived", "--dont-fork", "--vrrp", "--log-console", "--use-file=" + path,
                       "--pid=" + self.lab.path("lb2", "keepalived.pid"),
                       "--vrrp_pid=" + self.lab.path("lb2", "vrrp.pid"))

    def clean_lb2(self):
        """A killed keepalived leaves its address and its files behind."""
        namespaces.ip(self.lab.namespace("lb2"), "addr", "del", VIP + "/32", "dev", "eth0", check=False)
        for name in "keepalived.pid", "vrrp.pid":
            if os.path.exists(self.lab.path("lb2", name)):
                os.remove(self.lab.path("lb2", name))

    def test_keepalived_and_a_node_take_turns(self):
        self.cli("lb1", "vrrpgroup set --policy COMPAT --mode MULTICAST --checksum PSEUDO "
                        "--advert-interval-ms 100 default")
        self.keepalived(200)
        self.eventually(lambda: self.lab.holders(VIP) == ["lb2"], 5, "keepalived's higher priority wins")
        namespaces.kill_as_one(namespaces.pids(self.lab.namespace("lb2")))
        self.eventually(lambda: self.lab.holds("lb1", VIP), 2, "lb1 takes over from keepalived")
        self.clean_lb2()
        self.keepalived(50)
        time.sleep(2)
        self.assertTrue(namespaces.pids(self.lab.namespace("lb2")), "keepalived does not run")
        self.assertEqual(self.active(), "lb1", "keepalived of lower priority follows")

    def test_a_stranger_of_priority_255_takes_nothing_from_a_strict_group(self):
        self.keepalived(255)
        self.eventually(lambda: "VRRP_FOREIGN" in self.cli("lb1", "events"), 5, "the stranger is named")
        self.assertIn(self.lab.address("lb2"), self.cli("lb1", "events"))
        self.assertTrue(self.lab.holds("lb1", VIP), "the stranger took the address")
