"""What the documents tell people to type works as it stands there."""
import os
import re

from pair import ROOT, VIP, PairTest


class TwoMachines(PairTest):
    formed, serves = False, False

    def commands(self):
        """The lbnode commands of docs/two-vms.md, with the lab's addresses."""
        with open(os.path.join(ROOT, "docs", "two-vms.md")) as file:
            text = file.read().replace("10.0.0.", "10.77.0.")
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
