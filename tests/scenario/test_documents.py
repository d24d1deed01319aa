"""What the documents tell people to type works as it stands there, and what they say of the program is so."""
import os
import re
import signal
import subprocess
import unittest

from pair import ROOT, VIP, PairTest


def text_of(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


class TwoMachines(PairTest):
    formed, serves = False, False

    def commands(self):
        """The lbnode commands of docs/two-vms.md, with the lab's addresses."""
        text = text_of("docs", "two-vms.md").replace("10.0.0.", "10.77.0.")
        return re.findall(r"^sudo lbnode (.+)$", text, re.M)

    def test_two_bare_machines_share_an_address_after_six_commands(self):
        for node in self.lab.node_names():
            self.lab.start(node)
        token, count = "", 0
        for command in self.commands():
            node = "lb2" if command.startswith("join") else "lb1"
            said = self.cli(node, command.replace("TOKEN", token))
            count += 1
            if command == "init":
                token = re.search(r"lbnode join (\S+)", said)[1]
            if command.startswith("member add"):
                self.assertEqual(count, 6, "commands from nothing to an address that is served")
                self.eventually(self.answers, 5, "%s is served" % VIP)
        self.eventually(lambda: "ONLINE" in self.cli("lb2", "member list workers"), 5, "the monitor works on lb2")
        self.lab.kill(self.active())
        self.eventually(self.answers, 3, "%s is still served" % VIP)


class Health(PairTest):
    """docs/health.md, on a pair with the pools that it names."""
    serves = False

    def commands(self):
        """All lbnode commands, of blocks of code and of lines of text, in the order in which they stand there."""
        found = re.findall(r"^lbnode (.+)$|`lbnode ([^`]+)`", text_of("docs", "health.md"), re.M)
        return [block or line for block, line in found]

    def set_up_pools(self, commands):
        self.cli("lb1", "loadbalancer create --name web --vip-address " + VIP)
        for name in {command.split()[-1] for command in commands if "healthmonitor create" in command}:
            self.cli("lb1", "pool create --name %s --protocol %s --lb-algorithm ROUND_ROBIN --loadbalancer web"
                     % (name, "UDP" if name == "names" else "HTTP"))
        for worker in self.lab.worker_names():
            with open(os.path.join(self.lab.path(worker, "web"), "health"), "w") as file:
                file.write("well")
            self.cli("lb1", "member create --name %s --address %s --protocol-port 80 workers"
                     % (worker, self.lab.address(worker)))

    def follow(self, command):
        """What a command prints that ends by Ctrl-C."""
        process = self.lab.popen("lb1", "lbnode", *command.split(), stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        return process

    def is_tested(self, code, words):
        said = self.cli("lb1", "healthmonitor test workers", code)
        return all(re.search(r"^w2 +%s +%s" % (node, words), said, re.M) for node in self.lab.node_names())

    def test_its_commands_work_and_a_dead_member_shows_as_it_says(self):
        commands = self.commands()
        self.set_up_pools(commands)
        events = self.follow("events -f")
        # The monitors first: what stands before them is about a pool that has one.
        for command in sorted(commands, key=lambda command: "create" not in command):
            if command not in ("healthmonitor test workers", "events -f"):
                self.cli("lb1", command)
        types = {monitor["type"] for monitor in self.json("lb1", "healthmonitor list")}
        known = re.search(r"--type CHOICE .*: (.*)", self.cli("lb1", "healthmonitor create --help"))[1]
        self.assertEqual(types, set(known.split(", ")))
        self.assertTrue(self.is_tested(0, "answered +.* ONLINE"))
        self.cli("lb1", "healthmonitor set --max-retries-down 1 workers")
        self.lab.worker_stop("w2")
        self.assertTrue(self.is_tested(10, "failed +.* connection refused"))
        self.tells("lb1", "events --code MEMBER_ERROR --since 12h", "member w2 of pool workers: connection refused")
        shown = self.cli("lb1", "member show workers w2")
        for line in r"lb1( \*)? +ERROR .* connection refused", r"  \|+\.+\n  the last \d+ results of lb1":
            self.assertRegex(shown, line)
        events.send_signal(signal.SIGINT)
        self.assertIn("MEMBER_ERROR", events.communicate(timeout=10)[0])


class Words(unittest.TestCase):
    def reasons(self):
        """The words of each reason for which a probe can fail, as people see them."""
        special = {"NONE": "", "STATUS": "status 503, expected 200"}
        rows = re.findall(r'ROW\((\w+), "(.*)"\)', text_of("lbnode", "model", "verdict_board.h"))
        late = dict(re.findall(r'case VERDICT_REASON_(\w+): return "(.*)";', text_of("lbnode", "model", "health_reason.c")))
        return [special.get(name, late[name] + " after 5 s" if name in late else words) for name, words in rows]

    def test_each_reason_is_explained(self):
        explained = text_of("docs", "health.md").split("## Why a probe fails")[1].split("\n## ")[0]
        self.assertGreater(len(self.reasons()), 40)
        self.assertEqual([words for words in self.reasons() if words not in explained], [])
