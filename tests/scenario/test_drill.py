"""lbnode drill failover: what it measures, what it refuses, and that it ends where it began."""
import json
import re
import signal
import subprocess

from pair import VIP, PairTest


class Drill(PairTest):
    nodes = 3

    def spectator(self):
        """The node that is neither active nor the first one to take over."""
        return max(node for node in self.lab.node_names() if node != self.active())

    def test_a_drill_switches_there_and_back_and_counts(self):
        home, here = self.active(), self.spectator()
        away = next(node for node in self.lab.node_names() if node not in (home, here))
        drill = self.lab.lbnode(here, "drill", "failover", "--count", "2", "--to", away, "-o", "json")
        self.assertEqual(drill.returncode, 0, drill.stderr)
        report = json.loads(drill.stdout)
        self.assertEqual([(s["from"], s["to"]) for s in report["switches"]], [(home, away), (away, home)] * 2)
        self.assertEqual(sum(bucket["switches"] for bucket in report["histogram"]), 4)
        self.assertEqual((report["measured_on"], report["endpoint"]), (here, VIP + ":80"))
        self.assertIn("does not take part", report["remark"])
        for step in report["switches"]:
            print("    %(from)s -> %(to)s gap %(gap_ms).0f ms, %(connects)d connects, %(failed)d failed" % step)
            self.assertGreater(step["connects"], 20)  # it measured at all: how often, the machine decides
            self.assertLess(step["gap_ms"], 500)
            self.assertEqual(step["failed"], 0)
        self.eventually(lambda: self.lab.holders(VIP) == [home], 3, "the address is where it was")

    def test_an_interrupted_drill_brings_the_address_back(self):
        home = self.active()
        drill = self.lab.popen(home, self.lab.binary, "drill", "failover", "--count", "50", stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        self.eventually(lambda: self.lab.holders(VIP) not in ([], [home]), 5, "the address is away")
        drill.send_signal(signal.SIGINT)
        said = "".join(drill.communicate(timeout=20))
        self.assertIn("interrupted; group default is on %s again" % home, said)
        self.assertIn("this node has the address itself in between", said)
        self.assertEqual(drill.returncode, 4, said)
        self.eventually(lambda: self.lab.holders(VIP) == [home], 3, "the address is where it was")

    def test_without_a_second_eligible_node_nothing_is_switched(self):
        home = self.active()
        for node in self.lab.node_names():
            if node != home:
                self.lab.stop(node)
        refusal = "no switch is made, since no second node is eligible: "
        said = []

        def drill():
            said.append(self.cli(home, "drill failover", code=4))
            return said[-1]

        self.eventually(lambda: refusal in drill(), 5, "refused")
        self.eventually(lambda: "it does not answer" in drill(), 5, "in the end it is not there")
        expected = refusal + "lb.: it (is stopping|does not answer)"
        self.assertEqual([text for text in said if not re.search(expected, text)], [],
                         "a node that stops is never taken for one that could take over, or for one that starts")
        self.assertEqual(self.lab.holders(VIP), [home])
