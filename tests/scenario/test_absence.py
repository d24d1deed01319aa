"""A node that was away while thousands of changes were made takes the whole state of another."""
import json
import os
import shutil
import sys
import unittest

from pair import ROOT, PairTest

sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))
from api import Flood  # noqa: E402

CHANGES = 5200  # a node that lacks more than 5,000 gets a snapshot


class Absence(PairTest):
    def state(self, node):
        result = self.lab.lbnode(node, "status", "-o", "json")
        return json.loads(result.stdout)["cluster"]["state_hash"] if result.returncode == 0 and result.stdout else node

    def weight(self, node, member):
        return self.member(node, member).get("weight")

    def events(self, node, code):
        said = self.cli(node, "events -o json")
        return [event for event in map(json.loads, said.splitlines()) if event["code"] == code]

    def write(self, node, member, count):
        """COUNT changes of MEMBER's weight, many at once."""
        shown = self.member(node, member)
        pool = self.json(node, "pool show workers")
        pool = pool.get("pool", pool)
        path = "/v2/lbaas/pools/%s/members/%s" % (pool["id"], shown["id"])
        flood = Flood(self.lab.socket(node), 40)
        self.addCleanup(flood.close)
        seconds, refused = flood.run(("PUT", path, {"member": {"weight": i % 250 + 1}}) for i in range(count))
        self.assertEqual(refused, 0, "refused changes")
        return seconds

    def assertCaughtUp(self, node, other):
        self.eventually(lambda: self.events(node, "BOOTSTRAP_DONE"), 30, "%s has taken a snapshot" % node)
        self.eventually(lambda: self.state(node) == self.state(other), 10, "both have the same state")

    def test_its_own_change_survives_and_what_was_deleted_stays_deleted(self):
        self.lab.kill("lb1")
        self.cli("lb2", "member set --weight 77 workers w2")  # nobody else has it
        self.lab.kill("lb2")
        self.lab.start("lb1")
        self.cli("lb1", "member create --name w3 --address 10.9.0.3 --protocol-port 80 workers")
        self.cli("lb1", "member delete workers w3")
        self.write("lb1", "w1", CHANGES)
        self.cli("lb1", "member set --weight 33 workers w1")
        self.lab.start("lb2")
        self.assertCaughtUp("lb2", "lb1")
        for node in "lb1", "lb2":
            self.eventually(lambda: self.weight(node, "w2") == 77, 5, "%s has the change of lb2" % node)
            self.assertEqual(self.weight(node, "w1"), 33)
            self.assertEqual(self.member(node, "w3"), {}, "%s has no deleted member" % node)
        said = self.cli("lb2", "member set --weight 34 workers w1")
        self.assertRegex(said, "1/1", "changes travel as before")
        self.lab.kill("lb2")
        self.lab.start("lb2")
        self.eventually(lambda: self.state("lb2") == self.state("lb1"), 10, "the disk has it all")

    def test_an_old_disk_brings_nothing_back(self):
        self.cli("lb1", "member create --name w3 --address 10.9.0.3 --protocol-port 80 workers")
        self.eventually(lambda: self.weight("lb2", "w3") == 1, 5, "lb2 has the member")
        self.lab.kill("lb2")
        state = self.lab.path("lb2", "state")
        shutil.copytree(state, state + ".old")
        self.lab.start("lb2")
        self.eventually(lambda: self.state("lb2") == self.state("lb1"), 10, "both have the same state")
        self.cli("lb1", "member delete workers w3")
        self.write("lb1", "w1", CHANGES)
        self.eventually(lambda: self.state("lb2") == self.state("lb1"), 30, "both have all changes")
        self.lab.kill("lb2")
        shutil.rmtree(state)
        os.rename(state + ".old", state)
        self.lab.cut("lb1", "lb2")
        self.lab.start("lb2")
        self.cli("lb2", "member set --weight 77 workers w2")  # before it hears of anything
        self.lab.heal()
        self.assertCaughtUp("lb2", "lb1")
        for node in "lb1", "lb2":
            self.eventually(lambda: self.weight(node, "w2") == 77, 5, "%s has the change of lb2" % node)
            self.assertEqual(self.member(node, "w3"), {}, "%s has no deleted member" % node)


if __name__ == "__main__":
    unittest.main()
