"""A node written from docs/protocol.md alone (tests/second) sits beside one of ours."""
import json
import os
import subprocess
import sys
import unittest

from pair import ROOT, PairTest

SECOND = os.path.join(ROOT, "tests", "second")
try:
    import cryptography  # noqa: F401
    HAS_KEYS = True
except ImportError:
    HAS_KEYS = False


class SecondNode(PairTest):
    """lb1 is one of ours, lb2 the second."""

    workers, formed, serves = 1, False, False

    def make_pool(self):
        self.cli("lb1", "loadbalancer create --name web --vip-address 10.77.0.100")
        self.cli("lb1", "pool create --name workers --protocol HTTP --lb-algorithm ROUND_ROBIN --loadbalancer web")

    def start_second(self):
        with open(self.lab.log("lb2"), "a") as log:
            self.second = self.lab.popen(
                "lb2", sys.executable, "-B", os.path.join(SECOND, "node.py"), "--token", self.lab.token("lb1"),
                "--name", "lb2", "--address", self.lab.address("lb2"),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        self.addCleanup(self.second.communicate)
        self.addCleanup(self.second.kill)
        self.assertIn("joined", json.loads(self.second.stdout.readline() or "{}"))

    def tell(self, do, **more):
        self.second.stdin.write(json.dumps(dict(more, do=do)) + "\n")
        self.second.stdin.flush()
        line = self.second.stdout.readline()
        self.assertTrue(line, "the second node ended")
        return json.loads(line)

    def look(self):
        return self.tell("look")

    def first(self):
        """What the second node knows of ours."""
        peers = self.look()["peers"]
        return peers[0] if peers else {}

    def pools(self):
        return sorted(self.look()["pools"].values())

    def agree(self):
        """Have all nodes the same vector, and the same state hash for it?"""
        mine = self.look()
        return bool(mine["peers"]) and all(
            peer["digest"] == mine["digest"] and peer["state"] == mine["hash"][:16] for peer in mine["peers"])

    def a_change_of_ours_arrives(self):
        said = self.cli("lb1", "pool set --name ours workers")
        self.assertRegex(said, "1/1", "the second node's ACK counts")
        self.assertEqual(self.pools(), ["ours"], "the second node reads the change")
        self.assertGreater(self.look()["counts"]["records by a push"], 0)
        self.eventually(self.agree, 2, "the state hashes agree")

    def a_change_of_the_second_arrives(self):
        pool = next(iter(self.look()["pools"]))
        made = self.tell("rename", pool=pool, name="theirs")
        self.eventually(lambda: "theirs" in self.cli("lb1", "pool list"), 2, "our node shows the change")
        self.eventually(lambda: self.first()["acknowledged"].get("running") == made["seq"], 2, "our node's ACK")
        self.eventually(self.agree, 2, "the state hashes agree")


@unittest.skipUnless(HAS_KEYS, "needs python3-cryptography")
class SecondImplementation(SecondNode):
    nodes = 3  # lb3 joins once

    def setUp(self):
        super().setUp()
        self.lab.form(1)
        self.make_pool()
        self.start_second()

    def test_both_implementations_understand_each_other(self):
        self.assertEqual(self.pools(), ["workers"], "the snapshot brought the pool")
        self.eventually(self.agree, 3, "the state hashes agree after the join")
        self.eventually(lambda: self.first().get("echo"), 2, "our node echoes the second one's clock")
        self.eventually(lambda: self.first()["hears us"], 2, "our node says that it hears the second one")
        self.a_change_of_ours_arrives()
        self.a_change_of_the_second_arrives()
        self.who_lost_a_push_asks_for_it()
        self.eventually(self.agree, 3, "the state hashes agree in the end")
        seen = self.look()
        self.assertEqual(seen["counts"].get("state hashes that differ", 0), 0, seen["counts"])
        self.assertEqual([name for name in seen["counts"] if name.startswith("refused")], [], seen["counts"])

    def who_lost_a_push_asks_for_it(self):
        self.tell("deaf", on=True)
        self.cli("lb1", "pool set --name pulled theirs")
        self.eventually(lambda: self.pools() == ["pulled"], 5, "the second node pulled the change")
        counts = self.look()["counts"]
        self.assertGreater(counts["records lost"], 0, counts)
        self.assertGreater(counts["records by a pull"], 0, counts)
        self.assertGreater(counts["pulls answered"], 0, counts)
        self.tell("deaf", on=False)
        self.tell("mute", on=True)
        self.tell("rename", pool=next(iter(self.look()["pools"])), name="given")
        self.eventually(lambda: "given" in self.cli("lb1", "pool list"), 5, "our node pulled the change")
        self.assertGreater(self.look()["counts"]["pulls given"], 0)

    def test_both_take_and_refuse_the_same(self):
        pool = next(iter(self.look()["pools"]))
        self.tell("rename", pool=pool, name="workers2")
        place = self.tell("odd")
        self.eventually(lambda: self.is_running(place), 3, "our node took %s" % place)
        self.eventually(self.agree, 2, "the state hashes agree after odd records")
        self.assertTrue(self.first()["hears us"], "the rosters agree")
        self.assertGreater(self.tell("wrong")["sent"], 30)
        self.tell("forge")
        place = self.tell("rename", pool=pool, name="workers3")
        self.eventually(lambda: self.is_running(place), 3, "our node took the right one of that number: %s" % place)
        self.eventually(self.agree, 2, "the state hashes agree after wrong records")
        self.eventually(lambda: self.events("GOSSIP_FORGED"), 2, "our node saw a forged packet")
        self.assertFalse(self.events("EQUIVOCATION"), "a wrong record is none")

    def test_both_see_conflicts_equivocation_and_removal(self):
        pool = next(iter(self.look()["pools"]))
        self.tell("rename", pool=pool, name="before")
        self.eventually(lambda: "before" in self.cli("lb1", "pool list"), 2, "our node has the first name")
        self.cli("lb1", "pool set --name ours before")
        self.tell("rename", pool=pool, name="theirs", blind=True)
        self.eventually(lambda: self.json("lb1", "conflicts"), 2, "our node shows the conflict")
        self.eventually(self.agree, 2, "the state hashes agree with the conflict open")
        name = self.json("lb1", "pool list")[0]["name"]
        self.assertEqual(self.pools(), [name], "the same name counts on both")
        self.tell("equivocate")
        self.eventually(lambda: self.events("EQUIVOCATION"), 2, "our node noticed the second record of one number")
        self.cli("lb1", "node remove --dead lb2")
        self.eventually(lambda: self.look()["counts"].get("notices of our removal"), 3, "our node told of the removal")

    def test_a_node_of_ours_joins_through_the_second(self):
        self.cli("lb1", "pool set --name ours workers")  # the snapshot gets a dead operation
        self.tell("odd")
        self.eventually(self.agree, 2, "both have the same before")
        self.lab.start("lb3")
        self.cli("lb3", ["join", self.tell("token")["token"]])
        self.assertIn("ours", self.cli("lb3", "pool list"))
        for node in "lb1", "lb3":
            self.eventually(lambda: self.alive(node) == {"lb1", "lb2", "lb3"}, 3, "%s hears all three" % node)
        said = self.cli("lb3", "pool set --name joined ours")
        self.assertRegex(said, "2/2", "both other nodes acknowledge a change of the new one")
        self.eventually(lambda: self.pools() == ["joined"], 2, "the second node reads the change")
        self.eventually(lambda: self.agree() and len(self.look()["peers"]) == 2, 3, "all have the same state")
        self.assertEqual(self.look()["counts"].get("state hashes that differ", 0), 0)

    def alive(self, node):
        return {other["name"] for other in self.json(node, "node list") if other["alive"]}

    def events(self, code):
        lines = self.cli("lb1", "events -o json").splitlines()
        return [event for event in map(json.loads, lines) if event["code"] == code]

    def is_running(self, place):
        return self.first()["acknowledged"].get("running") == place["seq"]


@unittest.skipUnless(HAS_KEYS, "needs python3-cryptography")
class AfterRecovery(SecondNode):
    nodes = 2

    def test_both_agree_on_what_the_root_key_signed(self):
        code = self.form_with_code()
        self.make_pool()
        self.lab.cut("lb1", "lb2")
        self.cli("lb2", "node remove --dead lb1")
        self.lab.heal()
        self.hears_of_its_removal("lb1")
        for node in "lb1", "lb2":
            self.lab.kill(node)
        self.recover("lb1", code)
        self.lab.start("lb1")
        self.start_second()
        self.assertEqual(self.pools(), ["workers"], "the snapshot brought the pool")
        self.eventually(self.agree, 3, "the state hashes agree after the join")
        self.a_change_of_ours_arrives()
        self.a_change_of_the_second_arrives()
        self.assertEqual(self.look()["counts"].get("state hashes that differ", 0), 0)


if __name__ == "__main__":
    unittest.main()
