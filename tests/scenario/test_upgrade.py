"""From the previous version to this one, node by node, while clients and operators go on."""
import os
import threading

from pair import VIP, PairTest, Prober


def previous(lab):
    build = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(lab.binary))))
    return os.path.join(build, "tests", "scenario", "lbnode-previous")


class Operator:
    """Changes a pool of its own on NODE, again and again, whichever version answers there."""

    def __init__(self, test, node):
        self.test, self.node, self.pool, self.wish, self.refusals = test, node, "pool-" + node, "", []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def run(self):
        number = 0
        while not self.ended.wait(0.05):
            wish = "change %d" % number
            done = self.test.lab.lbnode(self.node, "pool", "set", "--description", wish, self.pool)
            if done.returncode == 0:
                self.wish, number = wish, number + 1
            elif done.returncode != 7:  # 7: nothing answers, the version is being replaced
                self.refusals.append(done.stdout + done.stderr)

    def __exit__(self, *failure):
        self.ended.set()
        self.thread.join()


class Upgrade(PairTest):
    formed, serves = False, False
    lasts = 20

    def setUp(self):
        super().setUp()
        self.lab.binaries = {node: previous(self.lab) for node in self.lab.node_names()}
        self.lab.form()
        self.serve()
        for node in self.lab.node_names():
            self.cli("lb1", "pool create --name pool-%s --protocol HTTP --lb-algorithm ROUND_ROBIN --loadbalancer web"
                     % node)
        self.settle()

    def evidence(self):
        """The operators' changes hide everything else at the end of a log."""
        said = []
        for node in self.lab.node_names():
            with open(self.lab.log(node), errors="replace") as log:
                said += ["---- log of %s, without changes\n" % node] + [at for at in log if "CONFIG_CHANGED" not in at]
        return "".join(said) + super().evidence()

    def other_as_seen_by(self, node):
        return next(each for each in self.json(node, "node list") if not each["self"])

    def description(self, node, pool):
        return self.json(node, "pool show " + pool)["description"]

    def replace(self, node):
        self.lab.stop(node)
        self.lab.binaries.pop(node)
        self.lab.start(node)
        self.eventually(lambda: "not eligible" not in self.cli(self.other(node), "status") and
                        "not eligible" not in self.cli(node, "status"), 10, "%s can take over again" % node)

    def assert_same(self, operators):
        for operator in operators:
            self.assertEqual(operator.refusals, [])
            self.assertTrue(operator.wish, "%s made changes" % operator.node)
            for node in self.lab.node_names():
                self.eventually(lambda: self.description(node, operator.pool) == operator.wish, 10,
                                "%s has the last change of %s" % (node, operator.node))

    def upgrade(self, order):
        for node in order:
            with Operator(self, "lb1") as first, Operator(self, "lb2") as second:
                self.replace(node)
                for operator in first, second:
                    wish = operator.wish
                    self.eventually(lambda: operator.wish != wish, 5, "%s takes changes" % operator.node)
            self.assert_same((first, second))

    def run_with(self, node, binary):
        self.lab.stop(node)
        self.lab.binaries[node] = binary
        self.lab.start(node)

    def work_together(self, new, old):
        """Also when the new one has a secret and has said what it speaks: the old one knows of neither."""
        self.eventually(lambda: self.other_as_seen_by(old)["protocol"] == 2, 20, "%s says what it speaks" % new)
        self.assertEqual(self.other_as_seen_by(new)["spoken_protocol"], 1)
        self.assertIn("work together", self.cli(new, "status"))
        self.cli(new, "status --check")
        with Operator(self, new) as first, Operator(self, old) as second:
            self.eventually(lambda: first.wish and second.wish, 5, "both take changes")
        self.assert_same((first, second))

    def speak_in_sessions(self):
        for node in self.lab.node_names():
            for what in "spoken_protocol", "protocol":
                self.eventually(lambda: self.other_as_seen_by(node)[what] == 2, 20, "%s of %s's peer is 2" % (what, node))
            status = self.json(node, "status")
            self.assertEqual(self.other_as_seen_by(node)["version"], status["node"]["version"])
            self.assertIsNone(status["versions"])

    def refuse_the_previous_version(self, active):
        """One that comes back is not heard, takes no address, and is well again with the new version."""
        standby = self.other(active)
        self.run_with(standby, previous(self.lab))
        self.tells(active, "events", "GOSSIP_DOWNGRADE")
        self.eventually(lambda: not self.other_as_seen_by(active)["alive"], 10, "%s does not count" % standby)
        self.assertEqual(self.active(), active)
        self.run_with(standby, self.lab.binary)
        for node in self.lab.node_names():
            self.eventually(lambda: self.other_as_seen_by(node)["in_sync"], 10, "%s is in sync again" % node)

    def test_active_node_first_and_then_nobody_speaks_as_before(self):
        active = self.active()
        with Prober(self.lab, VIP) as prober:
            self.upgrade((active,))
            self.work_together(active, self.other(active))
            self.upgrade((self.other(active),))
            self.speak_in_sessions()
        self.assertNoFailure(prober.report)
        self.refuse_the_previous_version(self.active())

    def test_standby_node_first(self):
        active = self.active()
        with Prober(self.lab, VIP) as prober:
            self.upgrade((self.other(active), active))
        self.assertNoFailure(prober.report)
