"""Who may be active: what speaks against a node, what follows from it, and how people are told."""
import os

from pair import VIP, PairTest, Prober


class Eligibility(PairTest):
    lasts = 28

    def group(self, node, family="IPv4"):
        return next(g for g in self.json(node, "status")["vrrp"] if g["family"] == family)

    def test_a_node_that_cannot_bind_a_port_gives_way_to_one_that_can(self):
        active = self.active()
        other = self.other(active)
        thief = self.lab.popen(active, "python3", "-m", "http.server", "8080", "--bind", "0.0.0.0")
        self.addCleanup(thief.wait)
        self.addCleanup(thief.kill)
        self.eventually(lambda: ":1F90 " in self.lab.execute(active, "cat", "/proc/net/tcp").stdout, 5, "8080 is taken")
        with Prober(self.lab, VIP) as prober:
            self.cli(active, "listener create --name second --protocol HTTP --protocol-port 8080 web")
            self.eventually(lambda: self.lab.holders(VIP) == [other], 6, "the node that can bind 8080 has the address")
        self.assertLessEqual(prober.report.failed, 1, prober.report.line())
        self.assertIn("cannot listen on 10.77.0.100:8080", self.group(active)["reason"])
        self.tells(active, "events", "VIP_HINDERED")
        self.lab.kill(other)
        self.eventually(self.answers, 3, "it serves when nobody else can")
        self.lab.start(other)
        self.eventually(lambda: self.lab.holders(VIP) == [other], 12, "and gives way again")
        thief.kill()
        self.eventually(lambda: self.group(active)["reason"] == "", 5, "nothing speaks against it any more")
        self.assertEqual(self.lab.holders(VIP), [other], "no preemption")

    def test_an_unsynced_node_takes_over_only_where_nobody_else_lives(self):
        active = self.active()
        other = self.other(active)
        self.cli(active, "vrrpgroup set --enable-preempt --preference %s=200 default" % other)
        self.eventually(lambda: self.lab.holders(VIP) == [other], 6, "the preferred node preempts")
        self.lab.kill(active)
        self.lab.stop(other)
        self.lab.start(active)
        self.eventually(lambda: self.lab.holds(active, VIP), 5, "a lone node takes over at once")
        self.assertIn("unsynced", self.group(active)["reason"])
        self.lab.start(other)
        self.eventually(lambda: self.group(active)["reason"] == "", 10, "in sync once the other one answers")

    def test_a_link_that_flaps_moves_the_address_once(self):
        active = self.active()
        other = self.other(active)
        for _ in range(3):
            self.lab.unplug(active)
            self.eventually(lambda: self.lab.holders(VIP) == [other], 2, "the address is where the link is")
            self.lab.plug(active)
            self.eventually(lambda: "has just come back" in self.group(active)["reason"], 2, "the link has to stay")
        self.eventually(lambda: self.group(active)["state"] == "backup", 10, "then it counts")
        self.assertEqual(self.cli(other, "events").count("VIP_ACTIVE"), 1)
        self.assertEqual(self.lab.holders(VIP), [other])


class CheckCommand(PairTest):
    formed, serves = False, False

    def test_a_node_whose_check_command_fails_gives_way(self):
        flag = self.lab.path("lb1", "well")
        open(flag, "w").close()
        for node in self.lab.node_names():
            command = "/usr/bin/test -e %s" % self.lab.path(node, "well")
            self.lab.start(node, options=("--check-command", command, "--check-interval", "1"))
        open(self.lab.path("lb2", "well"), "w").close()
        self.lab.form()
        self.serve()
        self.settle()
        if self.active() != "lb1":
            self.cli("lb1", "failover --to lb1")
            self.eventually(lambda: self.lab.holders(VIP) == ["lb1"], 4, "lb1 has the address")
        os.remove(flag)
        with Prober(self.lab, VIP) as prober:
            self.eventually(lambda: self.lab.holders(VIP) == ["lb2"], 10, "the node that is well has the address")
        self.assertLessEqual(prober.report.failed, 1, prober.report.line())
        self.tells("lb2", "status", "its check command fails")
        self.tells("lb1", "status", "the check command ended with status 1")
        self.assertIn("Node lb1 cannot take group default", self.cli("lb2", "failover --to lb1", code=4))
        open(flag, "w").close()
        self.eventually(lambda: "not eligible" not in self.cli("lb2", "status"), 8, "it is eligible again")


class Gateway(PairTest):
    lasts = 33

    def reason(self, node):
        return self.json(node, "status")["vrrp"][0]["reason"]

    def check_gateway(self, gateway):
        active = self.active()
        other = self.other(active)
        self.cli(active, "vrrpgroup set --gateway %s default" % gateway)
        self.lab.cut(active, "client")
        self.eventually(lambda: self.lab.holders(VIP) == [other], 10, "the node that reaches %s has it" % gateway)
        self.assertIn("gateway %s does not answer" % gateway, self.reason(active))
        self.tells(other, "status", "it does not reach the group's gateway")
        self.lab.cut(other, "client")
        self.eventually(lambda: "does not answer" in self.reason(other), 8, "nobody reaches it")
        self.assertEqual(self.lab.holders(VIP), [other], "a dead gateway takes the address from nobody")
        self.lab.heal()
        for node in active, other:
            self.eventually(lambda: self.reason(node) == "", 8, "%s reaches it again" % node)

    def test_a_node_that_does_not_reach_the_gateway_gives_way(self):
        self.check_gateway("10.77.0.50")

    def test_an_ipv6_gateway_counts_too(self):
        self.check_gateway("fd77::50")
