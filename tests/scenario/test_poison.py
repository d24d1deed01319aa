"""A configuration that crashes a process is on all nodes at once: traffic goes on with the last good one."""
import os
import time
import unittest

from pair import ROOT, VIP, PairTest, Prober

PROVEN_SECONDS = 3  # of this build


def poisonous():
    """The program beside the lbnode under test that members of certain names make crash."""
    lbnode = os.environ.get("LBNODE", os.path.join(ROOT, "build", "lbnode", "node", "lbnode"))
    build = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(lbnode))))
    return os.path.join(build, "tests", "scenario", "lbnode")


class Poison(PairTest):
    @classmethod
    def setUpClass(cls):
        if not os.access(poisonous(), os.X_OK):
            raise unittest.SkipTest(poisonous() + " is not built (meson option tests)")
        cls.usual = os.environ.get("LBNODE")
        os.environ["LBNODE"] = poisonous()

    @classmethod
    def tearDownClass(cls):
        os.environ.pop("LBNODE")
        if cls.usual:
            os.environ["LBNODE"] = cls.usual

    def create(self, node, name):
        self.cli(node, "member create --name %s --address %s --protocol-port 81 workers"
                 % (name, self.lab.address("w1")))

    def poisoned(self, node):
        return "POISON_CONFIG" in self.lab.lbnode(node, "events").stdout  # it may just be away

    def all_poisoned(self):
        for node in self.lab.node_names():
            self.eventually(lambda: self.poisoned(node), 10, "%s raises POISON_CONFIG" % node)

    def all_healed(self):
        for node in self.lab.node_names():
            self.eventually(lambda: not self.problems(node), 10, "%s has no problem left: %s" % (node, self.problems(node)))
        self.cli("lb1", "member set --weight 7 workers w1")
        for node in self.lab.node_names():
            self.eventually(lambda: self.member(node, "w1").get("weight") == 7 and not self.problems(node), 5,
                            "%s runs later changes" % node)

    def problems(self, node):
        return self.json(node, "status").get("problems")

    def processes(self, role):
        return [self.process(node, role) for node in self.lab.node_names()]

    def test_a_member_that_crashes_the_proxy_leaves_the_last_good_configuration_serving(self):
        time.sleep(PROVEN_SECONDS + 1)
        with Prober(self.lab, VIP) as prober:
            self.create("lb1", "poison-proxy")
            self.all_poisoned()
            prober.await_more(200)
            steady = self.processes("proxy")
            prober.await_more(200)
            self.assertEqual(self.processes("proxy"), steady, "the proxies still crash")
        # Requests under way in a process that crashes are lost, nothing else.
        self.assertLess(prober.report.failed, 20, prober.report.line())
        self.assertGreater(prober.report.sent, 300, prober.report.line())
        for node in self.lab.node_names():
            self.assertTrue(self.problems(node), "%s says that it does not run the newest" % node)
        self.cli("lb2", "member delete workers poison-proxy")
        self.all_healed()
        self.assertEqual(self.processes("proxy"), steady, "healing needs no new process")

    def test_a_member_that_crashes_control_is_withheld_while_traffic_goes_on(self):
        with Prober(self.lab, VIP) as prober:
            self.lab.lbnode("lb1", "member", "create", "--name", "poison-control", "--address",
                            self.lab.address("w1"), "--protocol-port", "81", "workers")  # its answer may get lost
            self.all_poisoned()
            steady = self.processes("control")
            self.cli("lb1", "member set --weight 3 workers w2")
            for node in self.lab.node_names():
                self.eventually(lambda: self.member(node, "w2").get("weight") == 3, 5, "%s takes changes" % node)
                self.assertTrue(self.problems(node), "%s says that something is withheld" % node)
            self.assertEqual(self.processes("control"), steady, "control still crashes")
            self.cli("lb2", "member delete workers poison-control")
            self.all_healed()
        self.assertNoFailure(prober.report)
        self.assertEqual(self.processes("control"), steady, "healing needs no new process")
