"""Two (or more) real nodes in a lab of their own, and the words in which scenarios speak of them."""
import itertools
import json
import os
import re
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "deploy", "lib"))
from lab import Lab, tail  # noqa: E402
import namespaces  # noqa: E402
from namespaces import wait_until  # noqa: E402
from prober import Prober  # noqa: E402,F401

VIP, VIP6 = "10.77.0.100", "fd77::100"
numbers = itertools.count(1)


def remove_leftovers():
    """Labs of test runs that are dead: a lab's name holds the process id of its run."""
    for name in namespaces.all_names():
        found = re.fullmatch(r"(t(\d+)-\d+)-\w+", name)
        if found and not namespaces.is_alive(int(found[2])):
            Lab(found[1]).down()


class PairTest(unittest.TestCase):
    """Each test gets its own lab with NODES formed nodes; with SERVES it already balances."""

    nodes, workers = 2, 2
    formed, serves = True, True
    monitor_delay = 1
    longMessage = False

    def setUp(self):
        self.lab = Lab("t%d-%d" % (os.getpid(), next(numbers)))
        self.addCleanup(self.lab.down)
        self.lab.up(self.nodes, self.workers)
        if self.formed:
            self.lab.form()
        if self.serves:
            self.serve()
            self.settle()

    def tearDown(self):
        """No process of a node may have complained, even where nobody noticed its restart."""
        for node in self.lab.node_names():
            if not os.path.exists(self.lab.log(node)):
                continue
            with open(self.lab.log(node), errors="replace") as log:
                found = re.search(r"ERROR: \w+Sanitizer.*|.*runtime error: .*|.*Assertion .* failed.*", log.read())
            self.assertIsNone(found, "%s: %s" % (node, found and found[0]))

    def evidence(self):
        """What the nodes said, for the report of a failure."""
        said = []
        for node in self.lab.node_names():
            said.append("---- log of %s\n%s" % (node, tail(self.lab.log(node), 15)))
        said += ["%-7s %-12s %s" % row for row in self.lab.status()]
        return "\n".join(said)

    # ---- the command line ---------------------------------------------------------------------

    def cli(self, node, command, code=0, text_in=None):
        """Runs `lbnode COMMAND` on NODE, expects the exit code CODE; its whole output."""
        arguments = command.split() if isinstance(command, str) else command
        result = self.lab.lbnode(node, *arguments, text_in=text_in)
        output = result.stdout + result.stderr
        self.assertEqual(result.returncode, code, "%s: lbnode %s: exit %d, not %d: %s" % (
            node, command, result.returncode, code, output))
        return output

    def tells(self, node, command, text):
        """What a node tells comes by way of its control process, after the address that can be seen to move."""
        self.eventually(lambda: text in self.cli(node, command), 3, "%s: lbnode %s tells: %s" % (node, command, text))

    def json(self, node, command):
        result = self.lab.lbnode(node, *command.split(), "-o", "json")
        self.assertEqual(result.returncode, 0, "%s: lbnode %s: %s" % (node, command, result.stderr))
        return json.loads(result.stdout)

    def member(self, node, name):
        """The member as NODE shows it; {} while it has none."""
        result = self.lab.lbnode(node, "member", "show", "workers", name, "-o", "json")
        if result.returncode:
            return {}
        answer = json.loads(result.stdout)
        return answer.get("member", answer)

    # ---- the way back of nodes that were removed ----------------------------------------------

    def form_with_code(self):
        """All nodes in one cluster; its recovery code."""
        for node in self.lab.node_names():
            self.lab.start(node)
        code = re.search(r"recovery code.*:\s+([A-Z2-7-]+)\s", self.cli("lb1", "init"))[1]
        for node in self.lab.node_names()[1:]:
            self.cli(node, ["join", self.lab.token("lb1")])
        return code

    def hears_of_its_removal(self, node):
        self.eventually(lambda: "this node was removed from cluster" in self.cli(node, "status"), 10,
                        "%s says that it was removed" % node)
        self.assertIn("lbnode cluster recover", self.cli(node, "status"))

    def recover(self, node, code, exit_code=0, force=True):
        """What `cluster recover` says on NODE, which does not run."""
        command = ["cluster", "recover", "--state-dir", self.lab.path(node, "state")] + ["--force"] * force
        return self.cli(node, command, exit_code, code + "\n")

    def serve(self, node="lb1", vip=VIP):
        """The usual load balancer: web, http, workers with w1, w2, ... and a monitor."""
        self.cli(node, "loadbalancer create --name web --vip-address " + vip)
        self.cli(node, "listener create --name http --protocol HTTP --protocol-port 80 web")
        self.cli(node, "pool create --name workers --protocol HTTP --lb-algorithm ROUND_ROBIN --listener http")
        for worker in self.lab.worker_names():
            self.cli(node, "member create --name %s --address %s --protocol-port 80 workers"
                     % (worker, self.lab.address(worker)))
        self.cli(node, "healthmonitor create --type HTTP --delay %d --timeout 1 --max-retries 1 "
                       "--max-retries-down 2 --url-path / workers" % self.monitor_delay)

    def settle(self, vip=VIP):
        """One owner of the address, and it answers; all nodes know every member to be well."""
        self.eventually(lambda: len(self.lab.holders(vip)) == 1 and self.answers(vip), 10,
                        "%s is served by one node" % vip)
        for node in self.lab.node_names():
            for worker in self.lab.worker_names():
                self.eventually(lambda: self.member(node, worker).get("operating_status") == "ONLINE", 10,
                                "%s is ONLINE on %s" % (worker, node))

    # ---- what can be seen from outside --------------------------------------------------------

    def answers(self, vip=VIP):
        host = "[%s]" % vip if ":" in vip else vip
        got = self.lab.execute("client", "curl", "-s", "-f", "-g", "--max-time", "0.5", "http://%s/" % host)
        return got.returncode == 0 and "Hello from worker" in got.stdout

    def active(self, vip=VIP):
        holders = self.lab.holders(vip)
        self.assertEqual(len(holders), 1, "%s is held by %s" % (vip, holders or "nobody"))
        return holders[0]

    def other(self, node):
        return next(name for name in self.lab.node_names() if name != node)

    def process(self, node, role):
        """The process id of NODE's process ROLE (vrrp, control, health, proxy)."""
        for pid in self.lab.pids(node):
            with open("/proc/%d/comm" % pid) as comm:
                if comm.read().strip() == "lbnode-" + role:
                    return pid
        self.fail("%s has no process %s" % (node, role))

    def eventually(self, condition, seconds, what):
        self.assertTrue(wait_until(condition, seconds, 0.02), "not within %g s: %s" % (seconds, what))

    def assertNoFailure(self, report):
        self.assertEqual(report.failed, 0, report.line())
        self.assertGreater(report.sent, 100, report.line())


kill = namespaces.kill_as_one
