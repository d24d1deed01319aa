"""Two nodes and the members' health: what they tell each other, where they differ, and what a successor knows."""
import re

import takeover
from pair import VIP, PairTest


class HealthPair(PairTest):
    def rules(self, host, *rules):
        """Replaces what HOST filters of the packets that it sends."""
        text = "table inet health\ndelete table inet health\n"
        if rules:
            text += "table inet health { chain output { type filter hook output priority 0; %s; }; }\n" % "; ".join(rules)
        done = self.lab.execute(host, "nft", "-f", "-", text_in=text)
        self.assertEqual(done.returncode, 0, done.stderr)

    def status_of(self, node, member):
        return self.member(node, member).get("operating_status")

    def test_a_member_that_one_node_cannot_reach_has_the_status_that_the_active_one_found(self):
        active = self.active()
        standby = self.other(active)
        self.rules(standby, "ip daddr %s tcp dport 80 reject with tcp reset" % self.lab.address("w1"))
        for node in active, standby:
            views = r"(?m)^ +%s( \*)? +%s .*%s$"
            for name, verdict, why in (standby, "ERROR", "connection refused"), (active, "ONLINE", ""):
                self.eventually(lambda: re.search(views % (name, verdict, why), self.cli(node, "member show workers w1")),
                                5, "%s says that w1 is %s to %s" % (node, verdict, name))
            self.assertEqual(self.status_of(node, "w1"), "ONLINE", node)
        said = self.cli(standby, "healthmonitor test workers", 10)
        self.assertRegex(said, r"w1 +%s +failed .* ERROR +connection refused" % standby)
        self.assertRegex(said, r"w1 +%s +answered .* ONLINE" % active)
        for node in active, standby:
            self.eventually(lambda: "PATH_ASYMMETRY" in self.cli(node, "events"), 10, "%s says that nodes differ" % node)
        self.rules(standby)
        for node in active, standby:
            self.eventually(lambda: "PATH_SYMMETRY" in self.cli(node, "events"), 10, "%s says that all agree" % node)
        said = self.cli(active, "healthmonitor test workers")
        for node in active, standby:
            self.assertRegex(said, r"w1 +%s +answered" % node)

    def test_the_active_nodes_word_counts_also_when_it_is_the_bad_one(self):
        active = self.active()
        self.rules(active, "ip daddr %s tcp dport 80 reject with tcp reset" % self.lab.address("w1"))
        for node in self.lab.node_names():
            self.eventually(lambda: self.status_of(node, "w1") == "ERROR", 6, "w1 is ERROR on " + node)
            self.assertEqual(self.json(node, "pool show workers")["operating_status"], "DEGRADED")
        self.assertIn("connection refused, since", self.cli(self.other(active), "status"))


class HealthOfThree(PairTest):
    nodes = 3

    def probes(self):
        """How often each node has probed w1."""
        return {node: int(re.search(r" of (\d+) probes failed", self.cli(node, "member show workers w1"))[1])
                for node in self.lab.node_names()}

    def test_the_third_node_probes_rarely_and_knows_as_soon_as_the_others(self):
        active = self.active()
        before = self.probes()
        self.eventually(lambda: self.probes()[active] >= before[active] + 4, 8, "%s probes each second" % active)
        after = self.probes()
        rare = [node for node in self.lab.node_names() if after[node] < before[node] + 3]
        self.assertEqual(len(rare), 1, "before: %s, after: %s" % (before, after))
        self.assertNotEqual(rare, [active])
        self.lab.worker_stop("w1")
        for node in self.lab.node_names():
            self.eventually(lambda: self.member(node, "w1").get("operating_status") == "ERROR", 4, "w1 is ERROR on " + node)


class Takeover(PairTest):
    workers, serves = 1, False

    def test_a_new_active_node_sends_nothing_to_members_that_are_dead(self):
        outcome = takeover.run(self.lab, VIP, members=100, dead=30)
        print("    " + outcome.line())
        self.assertEqual(outcome.to_dead, 0, outcome.line())
        self.assertGreater(outcome.answered, 100)
        self.assertEqual(outcome.wrong, [], "members whose status changed in the takeover")
